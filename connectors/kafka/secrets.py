"""Secrets of stores, sealed: whoever reads the `stores` topic without SECRETS_KEY learns nothing."""

from cryptography.fernet import Fernet, InvalidToken

from connectors.kafka.errors import WrongKey


class SecretBox:
    """Seals and opens secrets with one key (Fernet: AES-128-CBC and HMAC-SHA-256).

    Args:
        key: 32 bytes as URL-safe base64, as `generate_key` makes them.

    Raises:
        WrongKey: that is no key.
    """

    def __init__(self, key: bytes | str) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError as error:
            raise WrongKey(
                "SECRETS_KEY is not a key: it must be 32 bytes as URL-safe base64 (44 characters). "
                "Remove it to have one made, or restore the one with which the stores were connected."
            ) from error

    @staticmethod
    def generate_key() -> bytes:
        """Return a new key."""
        return Fernet.generate_key()

    def seal(self, secret: str) -> str:
        """Return the secret, sealed; twice the same secret gives two different texts."""
        return self._fernet.encrypt(secret.encode()).decode("ascii")

    def unseal(self, sealed: str) -> str:
        """Return the secret itself.

        Raises:
            WrongKey: it was sealed with another key, or is damaged.
        """
        try:
            return self._fernet.decrypt(sealed).decode()
        except (InvalidToken, ValueError):  # the latter where it is no base64 at all
            # The cause would add nothing, and its traceback could hold the sealed text.
            raise WrongKey(
                "a store's secret does not open with this SECRETS_KEY: give the key with which the store was connected "
                "(SECRETS_KEY, or secrets.key in its STATE_FOLDER). If it is lost: `hellotext-vtex stores remove` and "
                "then `connect`; people are then recognised anew, since the secret of their hashes is lost with it"
            ) from None
