"""What this API adds to schemathesis' own checks."""

import schemathesis

# 500s that the contract of the Node gateway asks for.
CONTRACTUAL = {"recipient_required", "invalid_document_name"}


@schemathesis.check
def no_failure_of_ours(ctx, response, case):
    """A 5xx says why, with a code, and is about something outside of the gateway."""
    if response.status_code < 500:
        return
    code = response.json().get("code")
    assert code, f"{response.status_code} without a code: {response.text}"
    assert response.status_code != 500 or code in CONTRACTUAL, f"the gateway failed: {response.text}"


@schemathesis.check
def errors_have_a_code(ctx, response, case):
    """Every error is a sentence for people and a stable word for programs."""
    if response.status_code >= 400:
        body = response.json()
        assert body.get("message") and body.get("code"), response.text
