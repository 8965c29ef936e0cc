// Package policy holds the connection policy of client and server as state machines
// without I/O:
//
//	Page    what one client wants, and when
//	Pool    which connection a request goes on; when one is opened, kept and closed,
//	        and what is retried
//	Server  when a server's connection is kept and closed, and how
//	Gate    which connections a server takes, of those that its capacity has room for
//	Cores   when the cores of a server begin a request, and when they are done
//
// A Client is a Page and a Pool together: it loads one workload, once or several times. A
// Pool alone serves an endless stream of requests, of one client or of many. A Balancer says
// which of several servers a connection goes to. The same machines drive real sockets,
// modelled ones and observed arrivals.
//
// An engine tells a machine what happened (Handle...), asks what to do (Poll)
// and when to be woken (NextTimeout). Time is an argument everywhere.
package policy

import (
	"slices"
	"strings"
)

// Persists reports whether a connection outlives the message that it just
// carried, from the message's HTTP version ("1.0", "1.1") and the values of its
// Connection fields. It decides for requests and responses alike; a connection
// persists only where both messages say so.
//
// RFC 9112, 9.3: "If the "close" connection option is present [...], the
// connection will not persist after the current response; else, if the received
// protocol is HTTP/1.1 (or later), the connection will persist [...]; else, if
// the received protocol is HTTP/1.0, the "keep-alive" connection option is
// present, [...] the connection will persist [...]; otherwise, the connection
// will close".
func Persists(version string, connection []string) bool {
	switch {
	case hasOption(connection, "close"):
		return false
	case version != "1.0":
		return true
	default:
		return hasOption(connection, "keep-alive")
	}
}

// hasOption looks for a connection option: a comma-separated list in any of
// several fields, without regard to case (RFC 9110, 7.6.1).
func hasOption(fields []string, option string) bool {
	return slices.ContainsFunc(fields, func(field string) bool {
		for item := range strings.SplitSeq(field, ",") {
			if strings.EqualFold(strings.Trim(item, " \t"), option) {
				return true
			}
		}
		return false
	})
}
