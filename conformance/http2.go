package conformance

import "linger/profile"

var http2Cases = []row{
	{"h2-settings-first", "begins with SETTINGS", "h2", "RFC 9113, 3.4", profile.Must, ""},
	{"h2-settings-acknowledged", "acknowledges SETTINGS", "h2", "RFC 9113, 6.5.3", profile.Must, ""},
	{"h2-ping-answered", "answers PING", "h2", "RFC 9113, 6.7", profile.Must, ""},
	{"h2-connection-fields", "sends no fields of HTTP/1's connections", "h2", "RFC 9113, 8.2.2", profile.Must, ""},
	{"h2-stream-limit", "refuses the stream that is one too many, and keeps the connection", "h2", "RFC 9113, 5.1.2 and 5.4.1", profile.Advice, ""},
	{"goaway-idle", "says GOAWAY before it closes an idle connection", "h2", "RFC 9113, 6.8", profile.Should, ""},
	{"goaway-last-request", "says GOAWAY before it closes a connection whose requests are used up", "h2", "RFC 9113, 6.8", profile.Should, ""},
	{"goaway-last-stream", "names in GOAWAY the last stream that it processed", "h2", "RFC 9113, 6.8", profile.Must, "lying-goaway"},
	{"goaway-never-rises", "names no higher stream in a later GOAWAY", "h2", "RFC 9113, 6.8", profile.Must, ""},
}
