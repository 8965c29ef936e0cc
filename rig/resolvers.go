package rig

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/fault"
)

// ResolverPace is the least time between two queries to a server that is not ours,
// unless a rate is given: 50 a second.
const ResolverPace = time.Second / 50

// A Resolver is where one strategy asks.
type Resolver struct {
	Host string
	Path string // of DNS over HTTPS
	port string
}

// Address is what is dialled for a strategy.
func (r Resolver) Address(s linger.Strategy) string {
	return net.JoinHostPort(r.Host, cmp.Or(r.port, strconv.Itoa(s.Protocol().Port())))
}

// ParseResolver reads HOST, HOST:PORT or https://HOST[:PORT]/PATH.
func ParseResolver(s string) (r Resolver, err error) {
	if strings.Contains(s, "://") {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != linger.SchemeHTTPS || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
			return r, fault.Usage("--server: %q is no address of a resolver; write 192.0.2.1, 192.0.2.1:53 or https://dns.example/dns-query", s)
		}
		return Resolver{Host: u.Hostname(), port: u.Port(), Path: u.EscapedPath()}, nil
	}
	r.Host = strings.Trim(s, "[]")
	if host, port, err := net.SplitHostPort(s); err == nil {
		r.Host, r.port = host, port
	}
	if n, err := strconv.ParseUint(cmp.Or(r.port, "1"), 10, 16); err != nil || n == 0 || r.Host == "" || strings.ContainsAny(r.Host, " /\\=") {
		return r, fault.Usage("--server: %q is no address of a resolver; write 192.0.2.1, 192.0.2.1:53 or https://dns.example/dns-query", s)
	}
	return r, nil
}

// Resolvers reads where each strategy asks, by its name: its own server of a list, or the one of
// all. Where the list has none it is this machine's.
func Resolvers(list []string, strategies []linger.Strategy) (map[string]Resolver, error) {
	own := map[string]Resolver{}
	for _, s := range list {
		form, address, ok := strings.Cut(s, "=")
		if !ok || strings.Contains(form, "/") {
			form, address = "", s
		}
		r, err := ParseResolver(address)
		if err != nil {
			return nil, err
		}
		if _, twice := own[form]; twice {
			return nil, fault.Usage("--server: two for %s; give one", cmp.Or(form, "all strategies"))
		}
		own[form] = r
	}
	used := map[string]bool{"": true}
	out := map[string]Resolver{}
	port := "" // on which something is asked that has no server of its own
	for _, s := range strategies {
		form := formOf(s)
		r, ok := own[form]
		used[form] = used[form] || ok
		if !ok {
			if r, ok = own[""]; !ok {
				if len(own) > 0 {
					return nil, fault.Usage("--server: none for %s; add --server %s=HOST:PORT, or --server HOST for all", s.Name, form)
				}
				host, err := systemResolver()
				if err != nil {
					return nil, err
				}
				r = Resolver{Host: host}
				own[""] = r
			}
			standard := strconv.Itoa(s.Protocol().Port())
			if r.port != "" && port != "" && port != standard {
				return nil, fault.Usage("--server: port %s cannot be right for %s as well as for what came before it; give it a server of its own: --server %s=HOST:PORT", r.port, s.Name, form)
			}
			port = standard
		}
		out[s.Name] = r
	}
	for form := range own {
		if !used[form] {
			return nil, fault.Usage("--server: %s is not among the strategies; leave it out, or add it to --strategies", form)
		}
	}
	return out, nil
}

// formOf is a strategy's name without its number and modifiers.
func formOf(s linger.Strategy) string {
	form, _, _ := strings.Cut(s.Name, "+")
	form, _, _ = strings.Cut(form, ":")
	return form
}

// systemResolver returns the first name server of resolv.conf.
func systemResolver() (string, error) {
	const file = "/etc/resolv.conf"
	f, err := os.Open(file)
	if err == nil {
		defer f.Close()
		for scan := bufio.NewScanner(io.LimitReader(f, 1<<20)); scan.Scan(); {
			if words := strings.Fields(scan.Text()); len(words) > 1 && words[0] == "nameserver" {
				return words[1], nil
			}
		}
	}
	return "", fault.Usage("%s names no resolver of this machine; give one: --server ADDRESS", file)
}

// forewarnQueries says beforehand how much will be asked of whom.
func forewarnQueries(servers map[string]Resolver, strategies []linger.Strategy, trials, names int, pace time.Duration) string {
	hosts := map[string]bool{}
	var who []string
	datagrams := false
	for _, s := range strategies {
		if h := servers[s.Name].Host; !hosts[h] {
			hosts[h] = true
			who = append(who, h)
		}
		datagrams = datagrams || s.Datagram
	}
	text := fmt.Sprintf("at most %d queries to %s (strategies: %d, trials: %d, names: %d)",
		len(strategies)*trials*names, strings.Join(who, ", "), len(strategies), trials, names)
	if pace > 0 {
		text += fmt.Sprintf(", %.4g a second at most", 1/pace.Seconds())
	}
	if datagrams {
		text += "; over UDP each again where no answer comes, 4 times in all, and over TCP where it does not fit"
	}
	return text
}
