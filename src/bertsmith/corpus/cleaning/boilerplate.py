r"""The step `boilerplate`: drop paragraphs that belong to a website or an edition, such as cookie notices.

Precision matters more than recall. A paragraph is dropped only if all of it matches a phrase below. Phrases that people
also write or say ("We use cookies", "Share this with him") must include typical words of a website. English, and some
German, French and Spanish.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_CHARACTERS = 300

_NETWORKS = "(facebook|twitter|x|linkedin|whatsapp|e-?mail|pinterest|reddit|tumblr|telegram|instagram|youtube)"

PHRASES: tuple[str, ...] = (
    # Cookies
    r"this (web ?)?site uses cookies\b.*",
    r"we use (our own and third[- ]party |third[- ]party )?cookies\b.*\b(experience|(web)?site|browser|traffic)\b.*",
    r"by (continuing|using|browsing|visiting)\b.*\b(agree|consent|accept)\b.*\bcookies\b.*",
    r"accept (all )?cookies\W*",
    r"cookie (policy|settings|preferences|notice)\W*",
    r"manage (cookies|cookie (settings|preferences))\W*",
    r"diese (webseite|website|seite) (verwendet|benutzt|nutzt) cookies\b.*",
    r"wir (verwenden|nutzen|benutzen) cookies\b.*\b(webseite|website|nutzererfahrung|nutzererlebnis)\b.*",
    r"ce site (web )?utilise des cookies\b.*",
    r"nous utilisons des cookies\b.*\b(site|navigation|audience|trafic)\b.*",
    r"en (poursuivant|continuant) (votre|la) navigation\b.*\bcookies\b.*",
    r"este sitio (web )?(usa|utiliza) cookies\b.*",
    r"esta (web|página) (web )?(usa|utiliza) cookies\b.*",
    r"utilizamos cookies\b.*\b(sitio|navegación|web)\b.*",
    # Rights
    r"all rights reserved\W*",
    r"copyright\b.{0,120}\ball rights reserved\W*",
    r"© 1\d{3}\b.{0,80}",
    r"© 2\d{3}\b.{0,80}",
    r"© copyright\b.{0,80}",
    r"\(c\) ?[12]\d{3}\b.{0,120}\ball rights reserved\W*",
    r"alle rechte vorbehalten\W*",
    r"tous droits réservés\W*",
    r"todos los derechos reservados\W*",
    # Invitations
    r"click here\W*",
    r"click here (to|for) (subscribe|unsubscribe|read|continue|download|sign|log|register|view|share|more)\b.{0,80}",
    r"click to (share|tweet|print|email|enlarge|expand)\b.{0,60}",
    r"subscribe (now|today|here)\W*",
    r"subscribe to (our|the|this) (free |daily |weekly )*(newsletter|mailing list|blog|feed|channel|podcast)\b.{0,60}",
    r"sign up (for|to) (our|the) (free |daily |weekly )*(newsletter|mailing list)\b.{0,80}",
    r"klicken sie hier\W*",
    r"hier klicken\W*",
    r"newsletter abonnieren\W*",
    r"jetzt (abonnieren|anmelden|registrieren)\W*",
    r"cliquez ici( pour .{3,60})?\W*",
    r"abonnez-vous à (notre|la) (newsletter|lettre d['’]information|chaîne)\b.{0,60}",
    r"inscrivez-vous à (notre|la) (newsletter|lettre d['’]information)\b.{0,60}",
    r"haga clic aquí( para .{3,60})?\W*",
    r"suscríbete a (nuestro|nuestra|la|el) (newsletter|boletín|canal)\b.{0,40}",
    # Sharing
    rf"share (this )?(article |post |page |story )?(on|via) {_NETWORKS}\b.{{0,40}}",
    r"share this( (article|post|page))?\W*",
    rf"follow us on {_NETWORKS}\b.{{0,60}}",
    rf"like us on {_NETWORKS}\b.{{0,40}}",
    rf"find us on {_NETWORKS}\b.{{0,40}}",
    rf"facebook(\W+{_NETWORKS})+\W*",
    rf"twitter(\W+{_NETWORKS})+\W*",
    r"print this (page|article|post)\W*",
    r"email this (page|article|post)( to a friend)?\W*",
    # Scripts
    r"please enable javascript\b.*",
    r"enable javascript (to|in)\b.*",
    r"javascript (seems to be|is|appears to be) (currently )?(disabled|turned off|not enabled) in your browser\b.*",
    r"you (need to|must) (enable|have) javascript\b.*",
    r"your browser (does not|doesn['’]t) support (javascript|the (video|audio|html5?) |html5?|iframes|frames)\b.*",
    r"this (page|site|website|app|application) requires javascript\b.*",
    r"bitte aktivieren sie javascript\b.*",
    r"veuillez activer javascript\b.*",
    r"por favor,? (activa|active|habilita|habilite) javascript\b.*",
    # Pages of a blog or a shop
    r"back to top\W*",
    r"skip to (main )?content\W*",
    r"read more\W*",
    r"continue reading\W*",
    r"older (posts|entries)\W*",
    r"newer (posts|entries)\W*",
    r"previous (post|article|entry)\W*",
    r"next (post|article|entry)\W*",
    r"leave a (comment|reply)\W*",
    r"log in to (leave|post) a comment\W*",
    r"comments are (closed|off|disabled)\W*",
    r"terms of (use|service)\W*",
    r"terms (and|&) conditions\W*",
    r"privacy policy\W*",
    r"datenschutzerklärung\W*",
    r"impressum\W*",
    r"weiterlesen\W*",
    r"nach oben\W*",
    r"lire la suite\W*",
    r"mentions légales\W*",
    r"politique de confidentialité\W*",
    r"leer más\W*",
    r"aviso legal\W*",
    r"política de (privacidad|cookies)\W*",
    # Page numbers
    r"page \d{1,4}( ?(of|/|de|sur) ?\d{1,4})?\W*",
    r"seite \d{1,4}( ?(von|/) ?\d{1,4})?\W*",
    r"página \d{1,4}( ?(de|/) ?\d{1,4})?\W*",
    # Project Gutenberg and its proof-readers
    r"\*\*\* ?(start|end) of (the|this) project gutenberg\b.*",
    r"the project gutenberg (ebook|etext|e-text)\b.*",
    r"project gutenberg['’]s\b.{1,200}",
    r"end of (the )?project gutenberg\b.*",
    r"end of the project gutenberg\b.*",
    r"this ebook is for the use of anyone anywhere\b.*",
    r"updated editions will replace the previous one\b.*",
    r"produced by\b.{0,200}\bdistributed proofread(ing|ers)\b.*",
    r"e-text prepared by\b.{0,200}",
    r"etext prepared by\b.{0,200}",
    r"character set encoding: .{2,30}",
    r"release date: .{3,60}\[e(book|text) #\d+\].*",
)
"""Each is matched against a whole paragraph, ignoring case; its first three characters are literal."""


def _patterns_by_head() -> dict[str, re.Pattern[str]]:
    """Return the patterns by their first three characters, in the three usual spellings of case.

    Most paragraphs are then rejected by a look-up of their first three characters.
    """
    phrases: dict[str, list[str]] = {}
    for phrase in PHRASES:
        phrases.setdefault(phrase.replace("\\", "")[:3], []).append(phrase)
    return {
        cased: re.compile("|".join(same_head), re.IGNORECASE)
        for head, same_head in phrases.items()
        for cased in (head, head.capitalize(), head.upper())
    }


_PATTERNS = _patterns_by_head()


def boilerplate_paragraphs(paragraphs: Sequence[str]) -> list[int]:
    """Return the indices of boilerplate paragraphs."""
    patterns = map(_PATTERNS.get, [paragraph[:3] for paragraph in paragraphs])
    return [
        index
        for index, pattern in enumerate(patterns)
        if pattern is not None
        and len(paragraphs[index]) <= MAX_CHARACTERS
        and pattern.fullmatch(paragraphs[index]) is not None
    ]
