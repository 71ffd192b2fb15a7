"""The co-signer's process, reached by HTTP."""

import httpx

from coordinator.services.ports import CosignRefused, CosignRequest, NodeDown

TIMEOUT_SECONDS = 20
# The statuses of a policy's refusal; others, 429 (later) among them, may pass.
REFUSALS = (403, 409, 422)


class HttpCosigner:
    def __init__(self, url: str, token: str) -> None:
        self.client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )

    def cosign(self, request: CosignRequest) -> str:
        try:
            answer = self.client.post("/cosign", json=vars(request))
        except httpx.HTTPError as error:
            raise NodeDown(f"the co-signer does not answer: {error}") from error
        if answer.status_code in REFUSALS:
            raise CosignRefused(answer.json()["message"])
        if answer.status_code != httpx.codes.OK:
            raise NodeDown(f"the co-signer answered {answer.status_code}")
        return str(answer.json()["signature"])
