package door

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger/origin/authority"
)

// Address reads where a door is: PORT, which is on listen, or ADDRESS:PORT.
func Address(value, listen string) (string, error) {
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		host, port = listen, value
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("%q is neither a port nor an address with one; write 8443, or [::1]:8443, or 0 for a free port", value)
	}
	return net.JoinHostPort(host, port), nil
}

// Names are those that this host can be asked for at the doors, for a certificate: where one is
// open to all, every address of the host, and its name.
func (all Doors) Names() []string {
	names := map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}
	for _, d := range all {
		host, _, _ := strings.Cut(d.Host, "%")
		if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
			names[host] = true
			continue
		}
		addresses, err := net.InterfaceAddrs()
		if err != nil {
			continue
		}
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok {
				names[n.IP.String()] = true
			}
		}
		if name, err := os.Hostname(); err == nil {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Certificate makes an authority, and by it a certificate for Names; root is the authority's own,
// in PEM, for clients to trust.
func (all Doors) Certificate(now time.Time) (made tls.Certificate, root []byte, err error) {
	ca, err := authority.New(now)
	if err != nil {
		return made, nil, err
	}
	made, err = ca.Certificate(all.Names()...)
	return made, ca.PEM(), err
}
