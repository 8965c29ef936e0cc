package flags

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"linger"
	"linger/console"
)

// IsURL reports whether a workload is named by where it is.
func IsURL(workload string) bool { return strings.Contains(workload, "://") }

// fileEndings are those of files that verbs read: a name that ends so is no host's.
var fileEndings = []string{".har", ".zhar", ".gz", ".zst", ".txt", ".json", ".trace", ".csv", ".list", ".pcap", ".pcapng", ".cap", ".html", ".log"}

// AsURL returns what a host without a scheme is taken for, as curl takes it: http. What names
// a workload or a file, or can be no host, is returned as it is.
func AsURL(argument string, std console.Streams) string {
	if _, known := linger.ParseWorkload(argument, 1); IsURL(argument) || known == nil || !IsPlace(argument) {
		return argument
	}
	if _, err := os.Stat(argument); err == nil {
		return argument
	}
	std.Note("%s is taken as http://%s, as curl takes it; write https:// for TLS", argument, argument)
	return "http://" + argument
}

// IsPlace reports whether an argument is a URL but for its scheme.
func IsPlace(argument string) bool {
	place, _, _ := strings.Cut(argument, "/")
	place, _, _ = strings.Cut(place, "?")
	host, port, err := net.SplitHostPort(place)
	if err != nil {
		if host = place; len(place) > 2 && place[0] == '[' {
			host = strings.Trim(place, "[]")
		}
	}
	return isHost(host, port)
}

// isHost reports whether that can name a host of the network: an address; a name with a port;
// localhost; or a name with a dot that does not end as a file's.
func isHost(host, port string) bool {
	if _, err := strconv.ParseUint(port, 10, 32); err != nil && port != "" {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host == "" || strings.ContainsFunc(host, func(r rune) bool {
		return r != '-' && r != '.' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		return false
	}
	if isWorkload := slices.ContainsFunc(linger.Workloads(), func(f linger.Form) bool { return host == f.Name }); isWorkload {
		return false // with a number that it does not take
	}
	dotted := strings.Contains(strings.Trim(host, "."), ".") && !slices.Contains(fileEndings, strings.ToLower(filepath.Ext(host)))
	return port != "" || host == "localhost" || dotted
}
