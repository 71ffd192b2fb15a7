"""The co-signer's process, reached by HTTP."""

import httpx
from pydantic import BaseModel, Field, ValidationError

from coordinator.services.ports import CosignRefused, CosignRequest, NodeDown

TIMEOUT_SECONDS = 20
# The statuses of a policy's refusal; others, 429 (later) and 409 (busy) among them, may pass.
REFUSALS = (403, 422)


class Refusal(BaseModel):
    """`code` tells it from what a proxy in between may say."""

    code: str
    message: str


class Signed(BaseModel):
    signature: str = Field(pattern="^0x[0-9a-f]{130}$")


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
        try:
            if answer.status_code in REFUSALS:
                raise CosignRefused(Refusal.model_validate_json(answer.content).message)
            if answer.status_code == httpx.codes.OK:
                return Signed.model_validate_json(answer.content).signature
        except ValidationError as error:
            raise NodeDown(f"the co-signer answered {answer.status_code}, malformed") from error
        raise NodeDown(f"the co-signer answered {answer.status_code}")
