"""The collector as OpenAPI 3.1; `python -m connectors.pixel.openapi` writes docs/collector.openapi.json.

The statuses and bodies are those of the handlers; a test compares the file with this, and the paths with the routes.
"""

import json
from pathlib import Path
from typing import Any, Final

_FILE: Final = Path(__file__).parents[2] / "docs" / "collector.openapi.json"
_RECEIVED: Final = {"$ref": "#/components/schemas/Received"}
_TEXT: Final = {"type": "string"}
_OBJECT: Final = {"type": "object", "additionalProperties": True}
_TIME: Final = {"description": "Unix seconds, or ISO 8601 with a zone.", "oneOf": [{"type": "number"}, _TEXT]}

_EVENT: Final = {
    "type": "object",
    "required": ["action"],
    "additionalProperties": True,
    "properties": {
        "action": {"type": "string", "examples": ["page.viewed", "product.viewed", "order.placed"]},
        "event_id": {"type": "string", "description": "Sent again under the same id it is the same event (7 days)."},
        "session": _TEXT,
        "user_parameters": {"$ref": "#/components/schemas/User"},
        "amount": {"description": "In major units: 89.90.", "oneOf": [{"type": "number"}, _TEXT]},
        "currency": {"type": "string", "description": "ISO 4217; never without amount."},
        "tracked_at": _TIME,
        "sent_at": {
            **_TIME,
            "description": "By the sender's clock: corrects its `tracked_at`. In a batch beside events.",
        },
        "object": _TEXT,
        "object_parameters": _OBJECT,
        "metadata": _OBJECT,
        "page": _OBJECT,
        "utm_params": _OBJECT,
        "consent": {"enum": ["granted", "denied"]},
        "kind": {"enum": ["event", "acknowledgement", "identification"], "description": "In a batch only."},
    },
}
_SCHEMAS: Final = {
    "Received": {"type": "object", "properties": {"status": {"const": "received"}}, "required": ["status"]},
    "Error": {
        "type": "object",
        "required": ["type", "parameter", "description", "message"],
        "properties": {
            "type": _TEXT,
            "parameter": {"type": ["string", "null"]},
            "description": _TEXT,
            "message": _TEXT,
        },
    },
    "Errors": {
        "type": "object",
        "properties": {"errors": {"type": "array", "items": {"$ref": "#/components/schemas/Error"}}},
    },
    "User": {
        "type": "object",
        "additionalProperties": True,
        "properties": dict.fromkeys(
            ("id", "source", "email", "phone", "name", "first_name", "last_name", "document"), _TEXT
        ),
    },
    "Event": _EVENT,
    "Batch": {
        "oneOf": [
            {"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
            {
                "type": "object",
                "required": ["events"],
                "additionalProperties": True,
                "properties": {"events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}}},
            },
        ]
    },
    "BatchAnswer": {
        "type": "object",
        "properties": {
            "status": {"const": "received"},
            "results": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "status": {"enum": ["received", "rejected"]},
                        "id": _TEXT,
                        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Error"}},
                    },
                },
            },
        },
    },
}
_SECRETS: Final = {
    "business": {
        "type": "http",
        "scheme": "bearer",
        "description": "The public business id (pages), or the store's server token (its back end).",
    },
    "hookToken": {"type": "apiKey", "in": "query", "name": "token", "description": "The store's hook secret."},
    "hookBasic": {"type": "http", "scheme": "basic", "description": "The hook secret as password."},
}
_PLAIN: Final = {
    "/v1/pixel.js": "The pixel.",
    "/v1/checkout.js": "The checkout script.",
    "/health/live": "Whether it lives.",
    "/health/ready": "Whether it can accept events; 503 with the reasons otherwise.",
    "/metrics": "Prometheus metrics.",
}
_REFUSALS: Final = {
    "400": "The body is not JSON; it is kept as a dead letter.",
    "401": "The business id, token or secret is unknown.",
    "403": "The store does not allow this origin.",
    "408": "The body came too slowly.",
    "413": "The body or batch is too large.",
    "415": "The content encoding is not understood.",
    "422": "A parameter is missing or cannot be read; kept as a dead letter.",
    "429": "The store sends more than its rate; see Retry-After.",
    "431": "The head of the request is too large.",
    "503": "Nothing was kept (Kafka is away and the spool is full, or the collector starts); see Retry-After.",
}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _operation(summary: str, body: dict[str, Any] | None, success: dict[str, Any], **extra: Any) -> dict[str, Any]:
    refusal = _json({"$ref": "#/components/schemas/Errors"})
    answers: dict[str, Any] = {"200": {"description": "Durable.", "content": _json(success)}}
    answers |= {status: {"description": why, "content": refusal} for status, why in _REFUSALS.items()}
    operation = {"summary": summary, "responses": answers, **extra}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {**_json(body), "text/plain": {"schema": body}}}
    return operation


def _in(place: str, name: str, **extra: Any) -> dict[str, Any]:
    return {"in": place, "name": name, "required": place == "path", "schema": _TEXT, **extra}


def _post(summary: str, body: dict[str, Any] | None, success: dict[str, Any], **extra: Any) -> dict[str, Any]:
    return {"post": _operation(summary, body, success, **extra)}


def _tracking() -> dict[str, Any]:
    event, many = {"$ref": "#/components/schemas/Event"}, {"$ref": "#/components/schemas/Batch"}
    answers = {"$ref": "#/components/schemas/BatchAnswer"}
    key = [_in("header", "Idempotency-Key"), _in("query", "business", description="Where no header can be set.")]
    return {
        "/v1/track/events": _post("Track one event.", event, _RECEIVED, parameters=key),
        "/v1/track/batch": _post("Track many events; one answer for each.", many, answers, parameters=key),
    }


def _sessions() -> dict[str, Any]:
    user = {"$ref": "#/components/schemas/User"}
    return {
        "/v1/public/acks": _post("Acknowledge a session.", _OBJECT, _RECEIVED),
        "/v1/public/identifications": _post("Identify a session's person.", user, _RECEIVED),
        "/v1/track/sessions": _post(
            "Get a session (clients up to 1.8.2, iOS); with `cookie`, keep it as the shop's own cookie.",
            None,
            {"type": "object", "properties": {"id": _TEXT}},
            parameters=[_in("query", "session"), _in("query", "cookie", description="1: from the shop's own site.")],
        ),
        "/v1/public/businesses/{id}": {
            "get": _operation("What the client loads when it starts.", None, _OBJECT, parameters=[_in("path", "id")])
        },
    }


def _picture() -> dict[str, Any]:
    return {
        "/v1/track/pixel.gif": {
            "get": {
                "summary": "Track one event from a page without JavaScript.",
                "parameters": [_in("query", name) for name in ("business", "action", "session", "url", "utm_source")],
                "responses": {"200": {"description": "A transparent picture.", "content": {"image/gif": {}}}},
            }
        }
    }


def _hooks() -> dict[str, Any]:
    secret: dict[str, Any] = {"security": [{"hookToken": []}, {"hookBasic": []}]}
    store = _in("path", "store")
    resource = _in("path", "resource", schema={"enum": ["customers", "orders"]})
    reports = "Infobip's delivery, seen and click reports."
    triggers = "VTEX's Master Data triggers (customers) and OMS hook (orders)."
    return {
        "/v1/reports/infobip/{store}": _post(reports, _OBJECT, _RECEIVED, parameters=[store], **secret),
        "/v1/triggers/{store}/{resource}": _post(triggers, _OBJECT, _RECEIVED, parameters=[store, resource], **secret),
    }


def _plain() -> dict[str, Any]:
    return {
        path: {"get": {"summary": summary, "security": [], "responses": {"200": {"description": "OK"}}}}
        for path, summary in _PLAIN.items()
    }


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "hellotext-vtex collector", "version": "1"},
        "security": [{"business": []}],
        "paths": _tracking() | _sessions() | _picture() | _hooks() | _plain(),
        "components": {"schemas": _SCHEMAS, "securitySchemes": _SECRETS},
    }


def text() -> str:
    """Return the file's content."""
    return json.dumps(document(), indent=2) + "\n"


if __name__ == "__main__":
    _FILE.write_text(text())
