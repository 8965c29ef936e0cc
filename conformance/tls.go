package conformance

import "linger/profile"

var tlsCases = []row{
	{"tls-close-notify", "sends close_notify before it closes", "tls", "RFC 8446, 6.1; RFC 9112, 9.8", profile.Must, ""},
	{"tls-current", "takes neither TLS 1.0 nor 1.1", "tls", "RFC 8996, 4 and 5", profile.Must, ""},
	{"tls-alpn-refused", "refuses a client with whom it has no protocol in common", "tls", "RFC 7301, 3.2", profile.Must, ""},
	{"tls-tickets-work", "resumes by the tickets that it gives", "tls", "docs/probe.md", profile.Advice, ""},
}
