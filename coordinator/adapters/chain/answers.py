"""Answers of nodes: neither longer nor slower than is named here, however steadily they come."""

import time

import requests
from urllib3.exceptions import HTTPError
from web3._utils.http_session_manager import HTTPSessionManager

# From the request's beginning to the answer's last byte.
TIMEOUT_SECONDS = 10
# A block of 160 million gas has no more logs than this.
MAX_ANSWER_BYTES = 64 * 2**20
READ_BYTES = 64 * 2**10
# What comes of reading an answer that is not what was asked for.
NONSENSE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)


class LimitedAnswers(HTTPSessionManager):
    """web3's own reads a limited answer byte by byte, and whatever its size."""

    @staticmethod
    def _handle_streaming_response(
        response: requests.Response, start: float, timeout: float
    ) -> bytes:
        """Raises requests' errors."""
        body = bytearray()
        try:
            while read := response.raw.read1(READ_BYTES, decode_content=True):
                body += read
                if len(body) > MAX_ANSWER_BYTES:
                    raise requests.ConnectionError(f"more than {MAX_ANSWER_BYTES} bytes of answer")
                if time.time() - start > timeout:
                    raise requests.ReadTimeout(f"an answer that takes more than {timeout} s")
        except HTTPError as error:
            raise requests.ConnectionError(str(error)) from error
        return bytes(body)
