"""What the requests of all faces are made of: values that do not change, and bodies kept as they were sent."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, PrivateAttr, model_validator

from api.http.body import refuse_unportable

JsonDict = dict[str, Any]


class Wire(BaseModel):
    """A part of a request."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())


class Body(Wire):
    """A request's whole body, which is kept as it was sent; it holds nothing that cannot be kept."""

    _sent: JsonDict = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, body: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        refuse_unportable(body)
        request = read(body)
        request._sent = body
        return request

    @property
    def sent(self) -> JsonDict:
        """The body as it was sent, with all its keys."""
        return self._sent
