"""What the control socket does, without a broker: a store that nobody has open is changed by the same code, and committed.

So users and policies can be there before the first start.
"""

from pathlib import Path

from core.access import User
from core.broker import Broker
from core.model.errors import BrokerError
from core.policies.checking import check_policy
from core.store.at_rest import StoreAtRest
from core.store.errors import Damaged
from core.store.kinds import OPERATOR, PERMISSION, POLICY, USER, described, parts_of
from core.store.sealing import place_of, unseal
from core.store.values import load
from gateway.accounts import Accounts
from gateway.config import Config
from gateway.control_requests import Requests
from gateway.patterns import compile_pattern
from gateway.users import Users


class AtRest:
    """A store and who answers for it. StoreError when it cannot be read or written."""

    def __init__(self, directory: Path, config: Config | None, named: str) -> None:
        self.damage: list[str] = []  # a sentence for each definition that could not be read
        self._store = StoreAtRest(directory)
        try:
            self._broker = _broker(config)
            for kind in (USER, PERMISSION, POLICY):
                for key, record in self._store.of_kind(kind):
                    self._restore(kind, key, record)
            self._journal = self._broker.surroundings.journal
            self._journal.begin(set())
            accounts = Accounts(config if config is not None else Config())
            users = Users(self._broker, accounts, config, named, _nobody_is_concerned)
            users.begin()
        except BaseException:
            self._store.close()
            raise
        self._requests = Requests(self._broker, users, running=False)

    def _restore(self, kind: int, key: str, record: bytes) -> None:
        broker = self._broker
        try:
            stated = load(unseal(record, place_of(kind, key)))
            names = parts_of(key)
            if kind == POLICY:
                pattern, apply_to, priority, definition = stated
                policy = check_policy(
                    names[1],
                    pattern,
                    definition,
                    apply_to,
                    priority,
                    broker.compile_pattern,
                    operator=names[2:] == [OPERATOR],
                )
                if names[0] in broker.vhosts:
                    broker.vhosts[names[0]].policies.restore(policy)
            else:
                broker.principals.restore(kind, names, stated)
        except (Damaged, BrokerError, ValueError, TypeError, IndexError) as error:
            self.damage.append(f"{described(kind, key)}: {error}")
            if kind == USER:
                broker.principals.lost()

    def answer(self, line: bytes) -> bytes:
        """Return the line that answers a line, once all that it stands for is on stable storage."""
        answer = self._requests.answer(line)
        while not self._journal.idle:
            batch = self._journal.seal()
            if batch is not None:
                self._store.commit(batch)
        return answer

    def close(self) -> None:
        """Release the store."""
        self._store.close()


def _nobody_is_concerned(_user: User, _reason: str) -> None:
    """Tell nobody: nobody is connected."""


def _broker(config: Config | None) -> Broker:
    broker = Broker(lambda: "", compile_pattern=compile_pattern)
    for name in config.vhosts if config is not None else ():
        if name not in broker.vhosts:
            broker.add_vhost(name)
    return broker
