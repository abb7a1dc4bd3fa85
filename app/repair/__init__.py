"""Repairing listings from OAI-PMH: which announcements the feeds lost, misdated or mistyped, and which days are proved."""

from app.repair.announcing import announce, look
from app.repair.settling import Settled, settle

__all__ = ["Settled", "announce", "look", "settle"]
