"""The policies of one kind in the order in which they apply: the first that covers a thing is the one."""

from bisect import insort

from core.policies.policy import Policy


class Ranking:
    """Policies by name, and by rank."""

    def __init__(self) -> None:
        self.named: dict[str, Policy] = {}
        self.ordered: list[Policy] = []

    def put(self, policy: Policy) -> Policy | None:
        """Add a policy; return the one of that name that it takes the place of."""
        replaced = self.remove(policy.name)
        self.named[policy.name] = policy
        insort(self.ordered, policy, key=_rank)
        return replaced

    def remove(self, name: str) -> Policy | None:
        """Take a policy out, and return it; None when there is none of that name."""
        policy = self.named.pop(name, None)
        if policy is not None:
            self.ordered.remove(policy)
        return policy

    def find(self, kind: int, name: str) -> Policy | None:
        """Return the policy for a thing of a kind and name."""
        for policy in self.ordered:
            if policy.covers(kind, name):
                return policy
        return None


def _rank(policy: Policy) -> tuple[int, str]:
    return policy.rank
