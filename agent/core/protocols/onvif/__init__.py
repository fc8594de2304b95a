"""ONVIF as values: messages out, answers in. No socket; the web page or a recorder may use it as the tools do.

Our own, because no library has both homes: Debian 13 has neither onvif-zeep nor WSDiscovery. It has zeep, but that
brings lxml, requests and six more, and needs ONVIF's WSDL files beside it, for a dozen messages of a few lines each.
"""
