package conformance

import "linger/profile"

var http3Cases = []row{
	{"alt-svc-true", "has HTTP/3 where Alt-Svc says so", "h3", "RFC 7838, 2", profile.Advice, ""},
	{"h3-settings-first", "begins its control stream with SETTINGS", "h3", "RFC 9114, 6.2.1", profile.Must, ""},
	{"h3-connection-fields", "sends no fields of HTTP/1's connections", "h3", "RFC 9114, 4.2", profile.Must, ""},
	{"h3-goaway-idle", "says GOAWAY before it closes an idle connection", "h3", "RFC 9114, 3.3", profile.Should, ""},
	{"h3-idle-kept", "keeps a connection for its max_idle_timeout, or closes it by a word", "h3", "RFC 9000, 10.1", profile.Should, ""},
}
