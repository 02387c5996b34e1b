"""Teaches staining models. Uses torch, knows no Qt."""
