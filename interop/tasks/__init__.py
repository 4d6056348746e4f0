"""A Celery application: its tasks, and the worker process that runs them."""
