"""The two resources, as every front sees them: properties in, a life carried out, properties back."""
