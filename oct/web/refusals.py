"""The refusals that the room answers by itself, and the exceptions that carry them."""

from __future__ import annotations


class RefusalError(Exception):
    """Base: `status` is the HTTP answer, `code` what programs read, `sentence` what is shown."""

    status = 400
    code = "demande-incorrecte"
    sentence = "La demande n'est pas correcte."


class NotSignedInError(RefusalError):
    """Nobody is signed in, or the session is over."""

    status = 401
    code = "non-connecte"
    sentence = "Connectez-vous pour continuer."


class UnfinishedError(RefusalError):
    """The password or the second factor of a first sign-in is still to be chosen."""

    status = 403
    code = "connexion-inachevee"
    sentence = "Terminez d'abord votre première connexion."


class NotAllowedError(RefusalError):
    """The role does not have the right."""

    status = 403
    code = "droit-absent"
    sentence = "Votre compte n'a pas le droit de faire cela."


class ForgedError(RefusalError):
    """A form without the token of its session: from elsewhere, or too old."""

    status = 403
    code = "formulaire-perime"
    sentence = "Ce formulaire n'est plus valable : rechargez la page et recommencez."


class NotFoundError(RefusalError):
    """Nothing has this address, or nothing that may be seen."""

    status = 404
    code = "inconnu"
    sentence = "Cette page n'existe pas."


class ConflictError(RefusalError):
    """What was asked for has been decided already."""

    status = 409
    code = "deja-decide"
    sentence = "C'est déjà décidé : relisez avant de recommencer."


class TooManyError(RefusalError):
    """Too many failed sign-ins, for a while."""

    status = 429
    code = "trop-d-essais"
    sentence = "Trop d'essais : réessayez dans quelques minutes."


class BusyError(RefusalError):
    """Too much at once."""

    status = 503
    code = "occupe"
    sentence = "Le service est momentanément indisponible : réessayez dans un instant."
