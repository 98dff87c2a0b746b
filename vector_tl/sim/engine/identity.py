"""Who a virtual robot is to an SDK program: serial, name, token and certificate."""

import datetime
import secrets
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Identity:
    """A virtual robot's serial, name, token and key pair (PEM)."""

    serial: str
    name: str
    guid: str = field(repr=False)
    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)


def make_identity(index: int) -> Identity:
    """Robot number `index`: always the same serial and name, each time a new key and token."""
    serial, name = (
        f"{0x00E20100 + index:08x}",
        f"Vector-{'ABCDEFGHJKLMNPQRSTUVWXYZ'[index % 24]}{1 + index}S{1 + index}",
    )
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Identity(
        serial,
        name,
        secrets.token_urlsafe(16),
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
