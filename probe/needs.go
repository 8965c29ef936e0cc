package probe

import (
	"maps"
	"slices"
	"strings"
)

// limitsOfHTTP1 are the experiments that an idle limit of HTTP/1.1 follows from: a
// connection that ends for its age, or behind one response, has not been idle for too long.
var limitsOfHTTP1 = []string{idleAfterResponseName, "idle, then asked again", "age of a busy connection", "requests on a connection"}

// needs are the experiments that measure a figure, by its name in an assertion and by the
// protocol behind its _, "" is that of the target. Figures of none take none.
var needs = map[[2]string][]string{
	{"", "idle"}: limitsOfHTTP1, {"", "ending"}: limitsOfHTTP1, {"", "announced"}: limitsOfHTTP1, {"", "age"}: limitsOfHTTP1, {"", "requests"}: limitsOfHTTP1,
	{"", "idle_connect"}: {"idle after connecting"}, {"", "idle_tls"}: {"idle after TLS"}, {"", "pipelining"}: {"pipelining"},
	{"", "h1"}:  {idleAfterResponseName},
	{"", "tls"}: {"versions and protocols of TLS"}, {"", "tls_least"}: {"versions and protocols of TLS"},
	{"", "tickets"}: {"tickets of TLS"}, {"", "resumes"}: {"tickets of TLS"}, {"", "early_data"}: {"tickets of TLS"},
	{"", "h2"}: {"what HTTP/2 says"}, {"", "h3"}: {"what HTTP/3 says"}, {"", "alt_svc"}: {"what HTTP/3 says"},
	{"h2", "idle"}: {idleHTTP2Name}, {"h2", "ending"}: {idleHTTP2Name}, {"h2", "idle_tls"}: {idleHTTP2Name}, {"h2", "requests"}: {"requests on a connection of HTTP/2"},
	{"h3", "idle"}: {idleHTTP3Name}, {"h3", "ending"}: {idleHTTP3Name}, {"h3", "idle_tls"}: {idleHTTP3Name}, {"h3", "requests"}: {"requests on a connection of HTTP/3"}, {"h3", "announced"}: {"what HTTP/3 says"},

	{protocolDNS, "idle"}: {idleAfterResponseName + ", DNS"}, {protocolDNS, "ending"}: {idleAfterResponseName + ", DNS"},
	{protocolDNS, "announced"}: {"idle after an answer, with edns-tcp-keepalive"}, {protocolDNS, "requests"}: {"queries on a connection"},
	{protocolDNS, "idle_connect"}: {"idle after connect, DNS"}, {protocolDNS, "idle_tls"}: {"idle after connect, DNS"}, {protocolDNS, "pipelining"}: {"pipelining"},
}

// needsOf are the names of the experiments that measure figures, of a target with that
// scheme. Names that are no figure of an experiment, as those of cases, add none.
func needsOf(scheme string, figures []string) []string {
	found := map[string]bool{}
	for _, name := range figures {
		protocol := ""
		for _, suffix := range []string{"h1", "h2", "h3", "tcp", schemeDoT} {
			if base, ok := strings.CutSuffix(name, "_"+suffix); ok {
				name, protocol = base, suffix
			}
		}
		switch {
		case isDNS(scheme):
			protocol = protocolDNS
		case protocol == "h1":
			protocol = ""
		}
		for _, e := range needs[[2]string{protocol, name}] {
			found[e] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
