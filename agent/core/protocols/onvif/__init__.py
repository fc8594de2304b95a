"""ONVIF messages and answers as values, without a socket.

Our own, because no library is available on both platforms: Debian 13 has neither onvif-zeep nor WSDiscovery. It has
zeep, but that brings lxml, requests and six more, and needs ONVIF's WSDL files, for a dozen messages of a few lines
each.
"""
