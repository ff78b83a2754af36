"""The filters of the pipeline, one module each. etc/cloudplane/api-paste.ini says their order, and why."""
