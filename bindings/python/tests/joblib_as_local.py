"""A pytest plugin: joblib's own tests, which name no back end, get ours."""

import joblib

import twat_cache.joblib_store

joblib.register_store_backend("local", twat_cache.joblib_store.TwatStoreBackend)
