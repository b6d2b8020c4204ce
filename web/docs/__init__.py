"""The page of the API, by Swagger."""
