"""TLS certificates of cameras: the check that FFmpeg omits, and the files of authorities."""

import base64
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, Final

_DEFAULT_PORTS: Final = {"https": 443, "rtsps": 322}
_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # SUSE
)


class UntrustedCertificateError(Exception):
    """The camera's certificate is not valid for the host in the URL."""


def find_authorities() -> str | None:
    """Return the file of this system's certificate authorities, or of SSL_CERT_FILE.

    FFmpeg's own OpenSSL does not know where they are.
    """
    default = ssl.get_default_verify_paths().cafile
    return default or next((bundle for bundle in _BUNDLES if Path(bundle).is_file()), None)


def ffmpeg_options(*, verify: bool) -> dict[str, str]:
    """Return FFmpeg's options for an encrypted connection."""
    if not verify:
        return {"tls_verify": "0"}
    authorities = find_authorities()
    return {"tls_verify": "1", **({"ca_file": authorities} if authorities else {})}


def client_context(*, verify: bool, check_name: bool) -> ssl.SSLContext:
    """Return the context of a connection of ours.

    `check_name`: whether the certificate must be for the host, name or address. Raises OSError if
    the file of authorities cannot be read.
    """
    if verify:
        context = ssl.create_default_context(cafile=find_authorities())
        context.check_hostname = check_name
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def check_address(scheme: str, host: str, port: int | None, timeout_s: float) -> bool:
    """Check that the certificate of a host given by its IP address is for that address.

    FFmpeg checks names only: for an address it accepts any certificate of a trusted authority.
    A certificate that is itself in the file of authorities is accepted for any address. Does
    nothing for a host given by name.

    Return False if the certificate is accepted although it is for another address. Raises
    UntrustedCertificateError, and OSError if the camera does not answer.
    """
    if _address_of(host) is None:
        return True
    with (
        socket.create_connection((host, port or _DEFAULT_PORTS[scheme]), timeout_s) as plain,
        secure(plain, host, verify=True) as secured,
    ):
        return _is_named(secured, host)


def secure(plain: socket.socket, host: str, *, verify: bool) -> ssl.SSLSocket:
    """Begin TLS with a host, whose certificate is checked as check_address does, or for the name.

    Raises UntrustedCertificateError, and OSError if the camera does not answer.
    """
    is_address = _address_of(host) is not None
    # For an address there is an exception, for listed certificates.
    context = client_context(verify=verify, check_name=verify and not is_address)
    try:
        secured = context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise UntrustedCertificateError(
            f"certificate not trusted ({error.verify_message}): "
            "install its authority, or set tls_verify: false"
        ) from None
    if verify and is_address:
        try:
            _is_named(secured, host)
        except UntrustedCertificateError:
            secured.close()
            raise
    return secured


def _is_named(secured: ssl.SSLSocket, host: str) -> bool:
    """Return whether the certificate is for this address; False if it is accepted although not.

    Raises UntrustedCertificateError.
    """
    authorities = find_authorities()
    content = secured.getpeercert(binary_form=True) or b""
    address = _address_of(host)
    if any(address == named for named in _addresses(dict(secured.getpeercert() or {}))):
        return True
    if not _is_among(content, authorities):
        raise UntrustedCertificateError(
            f"certificate not trusted: it is not for {host}; use the name "
            "in the certificate, or set tls_verify: false"
        )
    return False


def _address_of(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _addresses(certificate: Mapping[str, Any]) -> Iterator[IPv4Address | IPv6Address]:
    for kind, name in certificate.get("subjectAltName", ()):
        if kind == "IP Address":
            with suppress(ValueError):
                yield ip_address(name.strip())


def _is_among(certificate: bytes, authorities: str | None) -> bool:
    if authorities is None or not certificate:
        return False
    bundle = re.sub(rb"\s", b"", Path(authorities).read_bytes())
    return base64.b64encode(certificate) in bundle
