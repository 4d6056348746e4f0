"""What can go wrong with a store. None of these is a client's fault, and none is answered by trying again."""


class StoreError(Exception):
    """The disk has failed: nothing may be confirmed from now on."""


class StoreFull(StoreError):
    """There is no space left; what was to be written is not, and may be tried again once there is."""


class StoreRefused(StoreError):
    """The store is not one that this version can use, or another process uses it. The text says what to do."""


class Damaged(Exception):
    """One record cannot be read: its bytes are not those that were written."""
