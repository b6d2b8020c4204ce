"""What a text has to be like: a pattern, for programs, and a sentence, for the person whose text is not."""

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, SchemaValidator, core_schema


@dataclass(frozen=True)
class Like:
    """In an annotation, after other constraints: refuses a text that the pattern does not fit, by the sentence."""

    pattern: str
    sentence: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Ask for the pattern after all else that is asked of the text."""
        fits = SchemaValidator(core_schema.str_schema(pattern=self.pattern)).isinstance_python

        def check(text: str) -> str:
            if not fits(text):
                raise PydanticCustomError("string_pattern_mismatch", "{sentence}", {"sentence": self.sentence})
            return text

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Show the pattern beside what else is asked of the text."""
        return {**handler(schema), "pattern": self.pattern}
