"""What the control socket is asked, and what it answers: a JSON object on a line each.

`{"do": "user add", "name": "ada", …}` is answered by `{"said": […]}`, sentences about what else came of it, beside what was
asked for; or by `{"error": "…", "mistaken": …}`, and then nothing has changed. `mistaken` tells a request that makes no sense
from one that cannot be met now.
"""

import json
from typing import Any, Final, Literal

import structlog
from pydantic import Field, ValidationError

from core.broker import Broker
from core.model.errors import BrokerError, Invalid, NotFound, Unsupported
from core.model.names import DEFAULT_VHOST
from core.policies.administration import clear_policy, list_policies, policies_of, set_policy
from gateway.config import Table
from gateway.config_errors import dotted, problems_of
from gateway.users import Users

log = structlog.get_logger("dragoman.control")

Answer = dict[str, Any]


class AddUser(Table):
    """`user add`."""

    name: str
    password_hash: str = ""
    scram: str = ""
    tags: list[str] = Field(default_factory=list)
    loopback_only: bool = False


class SetPassword(Table):
    """`user password`."""

    name: str
    password_hash: str = ""
    scram: str = ""


class SetTags(Table):
    """`user tag`."""

    name: str
    tags: list[str]


class RemoveUser(Table):
    """`user remove`."""

    name: str


class ListUsers(Table):
    """`user list`: those behind `after`; `more` in the answer tells that there are others."""

    after: str = ""


class ShowUser(Table):
    """`user show`: with its permissions in virtual hosts behind `after`; `more` as above."""

    name: str
    after: str = ""


class Permit(Table):
    """`user permit`."""

    name: str
    vhost: str = DEFAULT_VHOST
    configure: str = ""
    write: str = ""
    read: str = ""
    write_topics: str = ".*"
    read_topics: str = ".*"


class Forbid(Table):
    """`user forbid`."""

    name: str
    vhost: str = DEFAULT_VHOST


class SetPolicy(Table):
    """`policy set`. What is wrong with a value is said where policies are."""

    name: str
    pattern: str
    definition: Any
    vhost: str = DEFAULT_VHOST
    apply_to: str = ""
    priority: int = 0
    operator: bool = False


class ListPolicies(Table):
    """`policy list`, in the order in which they apply."""

    vhost: str = DEFAULT_VHOST
    operator: bool = False


class ClearPolicy(Table):
    """`policy clear`."""

    name: str
    vhost: str = DEFAULT_VHOST
    operator: bool = False


class ShowPolicies(Table):
    """`policy show`: those that apply to a thing."""

    kind: Literal["queue", "exchange"]
    name: str
    vhost: str = DEFAULT_VHOST


REQUESTS: Final[dict[str, type[Table]]] = {
    "user add": AddUser,
    "user password": SetPassword,
    "user tag": SetTags,
    "user remove": RemoveUser,
    "user list": ListUsers,
    "user show": ShowUser,
    "user permit": Permit,
    "user forbid": Forbid,
    "policy set": SetPolicy,
    "policy list": ListPolicies,
    "policy clear": ClearPolicy,
    "policy show": ShowPolicies,
}


class Requests:
    """Answers requests. Called in the thread of the reactor, where there is one.

    A broker that is not `running` has users and policies, and no queues.
    """

    def __init__(self, broker: Broker, users: Users, *, running: bool = True) -> None:
        self._broker = broker
        self._users = users
        self._running = running

    def answer(self, line: bytes) -> bytes:
        """Return the line that answers a line; both without the line break between them, and with one at the end."""
        try:
            answer = self._do(_read(line))
        except BrokerError as refusal:
            answer = {"error": refusal.text, "mistaken": isinstance(refusal, Invalid)}
        return json.dumps(answer, ensure_ascii=True).encode() + b"\n"

    def _do(self, request: Table) -> Answer:
        users = self._users
        match request:
            case AddUser():
                said = users.add(
                    request.name,
                    request.password_hash,
                    request.scram,
                    request.tags,
                    loopback_only=request.loopback_only,
                )
            case SetPassword():
                said = users.set_password(request.name, request.password_hash, request.scram)
            case SetTags():
                said = users.set_tags(request.name, request.tags)
            case RemoveUser():
                said = users.remove(request.name)
            case Permit():
                patterns = (
                    request.configure,
                    request.write,
                    request.read,
                    request.write_topics,
                    request.read_topics,
                )
                said = users.permit(request.name, request.vhost, patterns)
            case Forbid():
                said = users.forbid(request.name, request.vhost)
            case ListUsers():
                rows, more = users.page(request.after)
                return {"users": rows, "more": more, "said": []}
            case ShowUser():
                return {**users.show(request.name, request.after), "said": []}
            case _:
                return self._do_with_policies(request)
        return {"said": said}

    def _do_with_policies(self, request: Table) -> Answer:
        broker = self._broker
        match request:
            case SetPolicy():
                set_policy(
                    broker,
                    request.vhost,
                    request.name,
                    request.pattern,
                    request.definition,
                    apply_to=request.apply_to,
                    priority=request.priority,
                    operator=request.operator,
                )
                log.info("policy set", policy=request.name, vhost=request.vhost, operator=request.operator)
            case ClearPolicy():
                clear_policy(broker, request.vhost, request.name, operator=request.operator)
                log.info("policy cleared", policy=request.name, vhost=request.vhost, operator=request.operator)
            case ListPolicies():
                return {"policies": list_policies(broker, request.vhost, operator=request.operator), "said": []}
            case ShowPolicies():
                return {**self._policies_of(request), "said": []}
            case _:
                raise AssertionError(f"{type(request).__name__} is in the table of requests and is not answered")
        return {"said": []}

    def _policies_of(self, request: ShowPolicies) -> Answer:
        if not self._running:
            raise Unsupported(
                f"which policies apply to {request.kind} '{request.name}' is known to a running broker only, and none runs on"
                " this store: start it and ask again"
            )
        try:
            return policies_of(self._broker, request.vhost, request.kind, request.name)
        except NotFound as missing:
            raise NotFound(f"{missing.text}: name another vhost with --vhost") from None


def _read(line: bytes) -> Table:
    try:
        request = json.loads(line, parse_constant=_no_number)
        json.dumps(request, ensure_ascii=False).encode()  # else it has half a character, which nothing here can keep
    except RecursionError:
        raise Invalid("the request is nested too deeply") from None
    except ValueError as error:
        raise Invalid(f"the request is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise Invalid("the request is not a JSON object")
    what = request.pop("do", None)
    kind = REQUESTS.get(what) if isinstance(what, str) else None
    if kind is None:
        raise Invalid(f"what to do is none of {', '.join(REQUESTS)}")
    try:
        return kind.model_validate(request)
    except ValidationError as error:
        problem = problems_of(error, kind)[0]
        raise Invalid(f"{what}: {dotted(problem.location)}: {problem.reason}") from None


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")
