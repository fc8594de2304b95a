"""What a browser measures on a page: targets too small for a finger, content too wide, and what axe-core finds."""
from tests.rigs.house.webdriver import Browser

AXE = {"axe-core": "4.11.4"}
JUDGE = """return axe.run(document, {resultTypes: ['violations'], ...arguments[0]}).then(found => found.violations
  .filter(each => ['serious', 'critical'].includes(each.impact))
  .map(each => `${each.id}: ${each.nodes.map(node => node.html.slice(0, 160)).join(' | ')}`))"""
# Elements that are lower than a finger needs.
SMALL_TARGETS = """
return [...document.querySelectorAll('a:not(.skip), button:not([hidden]), summary, input:not([type=hidden])')]
  .filter(each => each.getBoundingClientRect().height < 44).map(each => each.outerHTML)"""
SMALL_ON_PICTURE_PAGES = """
return [...document.querySelectorAll('a:not(.skip), button, summary, select, input:not([type=radio]), label.hider')]
  .filter(each => each.checkVisibility() && each.getBoundingClientRect().height < 44).map(each => each.outerHTML)"""
SMALL_ON_SETUP_PAGES = """
const targets = 'a:not(.skip), button:not([hidden]), summary, .tick, .plain > input:not([type=hidden])';
return [...document.querySelectorAll(targets)]
  .filter(each => each.getBoundingClientRect().height < 44).map(each => each.outerHTML)"""
# Whether a page is wider than its window, and which elements are.
TOO_WIDE = "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
OFF_SCREEN = """return document.documentElement.scrollWidth > innerWidth && [...document.querySelectorAll('main *')]
  .filter(each => each.getBoundingClientRect().right > innerWidth + 1).map(each => each.outerHTML.slice(0, 120))"""


def at(browser: Browser, path: str) -> None:
    """Wait for that page, and look whether it fits a phone and fingers."""
    browser.until(f"location.pathname === '{path}' && document.readyState === 'complete'")
    assert browser.run(SMALL_ON_SETUP_PAGES) == [] and not browser.run(TOO_WIDE)


def shape(browser: Browser, width: int, height: int, dark: bool = False) -> None:
    """Make the window that large, and light or dark."""
    browser.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                {"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.command("Emulation.setEmulatedMedia", features=features)
