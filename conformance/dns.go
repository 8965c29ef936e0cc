package conformance

import "linger/profile"

// dnsCases are those of a server of DNS over TCP or TLS, and of what it says of itself
// over UDP.
var dnsCases = []row{
	{"dns-many-queries", "takes more than one query on a connection", "dns", "RFC 7766, 6.2.1", profile.Should, ""},
	{"dns-pipelining", "answers all queries that were sent without waiting, in one segment too", "dns", "RFC 7766, 6.2.1.1", profile.Should, ""},
	{"dns-reorders", "lets no slow answer hold up the next", "dns", "RFC 7766, 6.2.1.1 and 7", profile.Should, ""},
	{"dns-split", "reads a query that comes in pieces", "dns", "RFC 1035, 4.2.2; RFC 9293, 3.1", profile.Must, ""},
	{"dns-idle-long-enough", "keeps idle connections for at least a second", "dns", "RFC 7766, 6.2.3", profile.Advice, ""},
	{"dns-idle-orderly", "ends an idle connection by FIN", "dns", "RFC 9293, 3.6", profile.Should, ""},
	{"dns-keepalive-true", "keeps idle connections for as long as it says by edns-tcp-keepalive", "dns", "RFC 7828, 3.3.2", profile.Must, ""},
	{"dns-keepalive-udp", "ignores edns-tcp-keepalive over UDP", "dns", "RFC 7828, 3.3.1", profile.Must, ""},
	{"dns-edns-asked", "says nothing by EDNS to whoever has not", "dns", "RFC 6891, 7", profile.Must, ""},
	{"dns-truncates", "cuts over UDP what is longer than 512 bytes and says so, and does neither over TCP", "dns", "RFC 1035, 4.2.1; RFC 2181, 9", profile.Must, ""},
}
