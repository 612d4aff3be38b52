"""What the Voila dashboards show. Read records on disk; import no engine, and no pandas."""
