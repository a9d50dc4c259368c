"""The parameters of `POST /predict`, and the description of the server in OpenAPI 3.1."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from audioclf._version import __version__

_ERROR = {
    "type": "object",
    "required": ["error", "hint"],
    "properties": {"error": {"type": "string"}, "hint": {"type": ["string", "null"]}},
}
_TIMES = {
    "start": {"type": "number", "description": "in s, from the start of the sound"},
    "end": {"type": "number", "description": "in s, exclusive"},
}
_ONE_LABEL = {
    "label": {"type": ["string", "null"], "description": "null where the model abstains"},
    "score": {"type": ["number", "null"]},
}
_P_VALUE = {"type": "number", "description": "of a model that detects anomalies"}
_LABELS = {
    "type": "array",
    "items": {"type": "string"},
    "description": "of a model of several labels, in place of label and score",
}
_SPAN = {**_TIMES, **_ONE_LABEL}
_ANSWER = {
    "type": "object",
    "required": ["sample_rate", "seconds", "classes", "windows", "notes"],
    "properties": {
        "sample_rate": {"type": "integer", "description": "of the sound, in Hz"},
        "seconds": {"type": "number"},
        "classes": {"type": "array", "items": {"type": "string"}},
        "windows": {
            "type": "array",
            "items": {
                "type": "object",
                "required": [*_TIMES, "scores"],
                "properties": {
                    **_SPAN,
                    "labels": _LABELS,
                    "p_value": _P_VALUE,
                    "scores": {"type": "object", "additionalProperties": {"type": "number"}},
                },
            },
        },
        "events": {
            "type": "array",
            "items": {
                "type": "object",
                "required": [*_SPAN, "mean_score", "n_windows"],
                "properties": {
                    **_SPAN,
                    "mean_score": {"type": "number"},
                    "n_windows": {"type": "integer"},
                    "p_value": _P_VALUE,
                },
            },
        },
        "notes": {"type": "array", "items": {"type": "string"}},
    },
}
_REFUSED = {
    400: "A parameter is not valid, or no sound was sent.",
    403: "The request comes from a page of another site.",
    408: "The sound was sent too slowly.",
    413: "The sound has too many bytes.",
    422: "The sound cannot be used.",
    503: "Too many sounds are waiting, or no worker can be started.",
}


class Query(BaseModel):
    """Parameters of `POST /predict`."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    window: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Length of a window in s; without it, the sound is one clip."""
    hop: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds from window to window; by default their length."""
    events: bool = False
    """Whether windows are joined to events as well."""
    threshold: tuple[str, ...] = ()
    """Score that an event reaches, or each of several labels, by default 0.5, or that of the model;
    as `0.4`, or `robin=0.4` for one class of several labels; may be repeated."""
    merge_gap: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Events of one class with a gap of at most so many s become one."""
    min_duration: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Events shorter than this, in s, are dropped."""
    encoding: Literal["s16", "s24", "s32", "f32"] | None = None
    """Raw samples, little-endian, instead of a sound file."""
    rate: int | None = Field(default=None, ge=1000, le=768_000)
    """Sample rate of raw samples in Hz."""
    channels: int = Field(default=1, ge=1, le=64)
    """Interleaved channels of raw samples."""


def description(max_bytes: int) -> dict[str, Any]:
    """Return the description, which names the greatest size of a sound in bytes."""
    schema = Query.model_json_schema()
    parameters = [
        {
            "name": name,
            "in": "query",
            "description": field.pop("description", ""),
            "schema": {key: value for key, value in field.items() if key != "title"},
        }
        for name, field in schema["properties"].items()
    ]
    refused = {
        str(status): {"description": text, "content": {"application/json": {"schema": _ERROR}}}
        for status, text in _REFUSED.items()
    }
    sound = {"schema": {"type": "string", "format": "binary"}}
    predict = {
        "summary": "Classify a sound, its windows, or its events",
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "description": f"A sound file, or raw samples; at most {max_bytes} bytes.",
            "content": {"application/octet-stream": sound},
        },
        "responses": {"200": _answer("The prediction", _ANSWER), **refused},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "audioclf", "version": __version__},
        "paths": {
            "/predict": {"post": predict},
            "/model": {"get": _get("The model", {"type": "object"})},
            "/health": {"get": _get("Whether the server works", {"type": "object"})},
            "/metrics": {
                "get": {
                    "summary": "Numbers for Prometheus",
                    "responses": {
                        "200": {
                            "description": "Numbers",
                            "content": {"text/plain": {"schema": {"type": "string"}}},
                        }
                    },
                }
            },
        },
    }


def _get(summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _answer(summary, schema)}}


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
