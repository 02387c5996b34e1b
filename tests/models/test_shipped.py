"""The networks that ship: small, honest about themselves, and true to the tissue they are shown."""

MOST_BYTES = 12_000_000
