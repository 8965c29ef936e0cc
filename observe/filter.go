package observe

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"linger/audit"
	"linger/trace"
)

// A Filter reports whether a connection is looked at. It is written as tcpdump has it
// (pcap-filter(7)), in the common forms, and is about connections, not packets: src is the
// client, dst the server.
//
//	or        = and { ("or" | "||") and }
//	and       = not { ("and" | "&&") not }
//	not       = ("not" | "!") not | "(" or ")" | primitive
//	primitive = [protocol] [src | dst] [host | net | port | portrange] value | protocol
//	protocol  = tcp | udp | ip | ip6
//
// A value without any of the words before it takes those of the last one: port 80 or 443.
type Filter func(client, server netip.AddrPort, udp bool) bool

// filterWords begin a filter.
var filterWords = []string{"tcp", "udp", "ip", "ip6", "host", "net", "port", "portrange", "src", "dst", "not", "!", "("}

// SplitFilter takes the trailing words of arguments that are a filter.
func SplitFilter(arguments []string) (files []string, filter string) {
	for i, word := range arguments {
		if i > 0 && slices.Contains(filterWords, word) {
			if _, err := os.Stat(word); err != nil {
				return arguments[:i], strings.Join(arguments[i:], " ")
			}
		}
	}
	return arguments, ""
}

// fits reports whether a connection passes. One whose addresses are not known does not.
func (f Filter) fits(c *trace.Connection) bool {
	client, err := netip.ParseAddrPort(c.Client)
	server, err2 := netip.ParseAddrPort(c.Server)
	if err != nil || err2 != nil {
		return false
	}
	plain := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
	return f(plain(client), plain(server), audit.OverUDP(c))
}

// ParseFilter reads a filter.
func ParseFilter(text string) (Filter, error) {
	text = strings.NewReplacer("(", " ( ", ")", " ) ", "!", " ! ", "&&", " and ", "||", " or ").Replace(text)
	p := &filterParser{words: strings.Fields(text)}
	f, err := p.or(0)
	if err == nil && p.at < len(p.words) {
		err = p.wrong()
	}
	return f, err
}

type filterParser struct {
	words []string
	at    int
	last  qualifier
}

// A qualifier says what a value is of.
type qualifier struct{ direction, kind string }

// deepestFilter bounds the brackets of a filter.
const deepestFilter = 100

func (p *filterParser) next() string {
	if p.at == len(p.words) {
		return ""
	}
	return strings.ToLower(p.words[p.at])
}

func (p *filterParser) take(words ...string) bool {
	if p.at < len(p.words) && slices.Contains(words, p.next()) {
		p.at++
		return true
	}
	return false
}

func (p *filterParser) wrong() error {
	if p.at == len(p.words) {
		return fmt.Errorf("it ends too soon; write port 80, host 192.0.2.7 or net 10.0.0.0/8, with and, or, not and brackets")
	}
	return fmt.Errorf("%q is not read here; of tcpdump's filters there are tcp, udp, ip, ip6, host, net, port and portrange, with src, dst, and, or, not and brackets", p.words[p.at])
}

func (p *filterParser) or(depth int) (Filter, error) {
	f, err := p.and(depth)
	for err == nil && p.take("or") {
		left, right := f, Filter(nil)
		right, err = p.and(depth)
		f = func(c, s netip.AddrPort, udp bool) bool { return left(c, s, udp) || right(c, s, udp) }
	}
	return f, err
}

func (p *filterParser) and(depth int) (Filter, error) {
	f, err := p.not(depth)
	for err == nil && p.take("and") {
		left, right := f, Filter(nil)
		right, err = p.not(depth)
		f = func(c, s netip.AddrPort, udp bool) bool { return left(c, s, udp) && right(c, s, udp) }
	}
	return f, err
}

func (p *filterParser) not(depth int) (Filter, error) {
	switch {
	case depth > deepestFilter:
		return nil, fmt.Errorf("more than %d brackets are too many", deepestFilter)
	case p.take("not", "!"):
		f, err := p.not(depth + 1)
		return func(c, s netip.AddrPort, udp bool) bool { return !f(c, s, udp) }, err
	case p.take("("):
		f, err := p.or(depth + 1)
		if err == nil && !p.take(")") {
			err = p.wrong()
		}
		return f, err
	}
	return p.primitive()
}

func (p *filterParser) primitive() (Filter, error) {
	protocol, q := "", qualifier{}
	if word := p.next(); p.take("tcp", "udp", "ip", "ip6") {
		protocol = word
	}
	if word := p.next(); p.take("src", "dst") {
		q.direction = word
		if p.take("or", "and") && !p.take("src", "dst") {
			return nil, p.wrong()
		} else if p.at > 1 && slices.Contains([]string{"or", "and"}, strings.ToLower(p.words[p.at-2])) {
			q.direction = ""
		}
	}
	if word := p.next(); p.take("host", "net", "port", "portrange") {
		q.kind = word
	}
	of := func(c, s netip.AddrPort, udp bool) bool {
		switch protocol {
		case "tcp":
			return !udp
		case "udp":
			return udp
		case "ip":
			return c.Addr().Is4()
		case "ip6":
			return c.Addr().Is6()
		}
		return true
	}
	word := p.next()
	if ends := word == "" || word == "and" || word == "or" || word == ")"; ends && protocol != "" && q == (qualifier{}) {
		return of, nil
	} else if ends {
		return nil, p.wrong()
	}
	if q == (qualifier{}) && protocol == "" {
		q = p.last
	}
	match, err := p.value(&q, word)
	if err != nil {
		return nil, err
	}
	p.at++
	p.last = q
	return func(c, s netip.AddrPort, udp bool) bool {
		return of(c, s, udp) && (q.direction != "dst" && match(c) || q.direction != "src" && match(s))
	}, nil
}

// value reads what a qualifier is about. Without a kind it is a host.
func (p *filterParser) value(q *qualifier, word string) (func(netip.AddrPort) bool, error) {
	switch q.kind {
	case "port", "portrange":
		low, high, ranged := strings.Cut(word, "-")
		if !ranged {
			high = low
		}
		from, err := strconv.ParseUint(low, 10, 16)
		to, err2 := strconv.ParseUint(high, 10, 16)
		if named, ok := map[string]uint64{"http": 80, "https": 443, "domain": 53}[word]; ok {
			from, to, err, err2 = named, named, nil, nil
		}
		if err != nil || err2 != nil || ranged != (q.kind == "portrange") {
			return nil, fmt.Errorf("%q is no %s; write port 80, or portrange 8000-8100", word, q.kind)
		}
		return func(a netip.AddrPort) bool { return uint64(a.Port()) >= from && uint64(a.Port()) <= to }, nil
	case "net":
		n, err := netip.ParsePrefix(word)
		if err != nil {
			return nil, fmt.Errorf("%q is no network; write net 10.0.0.0/8", word)
		}
		return func(a netip.AddrPort) bool { return n.Masked().Contains(a.Addr()) }, nil
	}
	a, err := netip.ParseAddr(word)
	if err != nil && q.kind == "" {
		return nil, p.wrong()
	} else if err != nil {
		return nil, fmt.Errorf("%q is no address; names are not looked up", word)
	}
	q.kind = "host"
	return func(b netip.AddrPort) bool { return b.Addr() == a.Unmap() }, nil
}
