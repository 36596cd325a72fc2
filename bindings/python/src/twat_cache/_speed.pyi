CORE: tuple[str, ...]
EDITION: int

def connect(addresses: dict[str, int], /) -> None: ...
