"""The networks that the trainers train and the exporter writes."""
