package talk

import (
	"strings"

	"linger"
	"linger/trace"
)

// DNSMessage is the media type of messages of DNS (RFC 8484, 6), the one whose content is kept.
const DNSMessage = "application/dns-message"

// Content is what is kept of the content of the two messages of one exchange: of those that
// are of DNS, up to linger.MaxMessage bytes, so that they can be read. The zero value keeps
// nothing.
type Content struct {
	kept  [2][]byte
	state [2]keeping
}

type keeping uint8

const (
	keepsNothing keeping = iota
	keeps
	lost // it was too long, or a part of it was not captured
)

// Begin takes in the media type that the head of a message names.
func (k *Content) Begin(s *Shared, from Side, media string) {
	switch wanted := s.Content != nil && media == DNSMessage; {
	case !wanted:
		k.kept[from], k.state[from] = nil, keepsNothing
	case k.state[from] == keepsNothing:
		k.state[from] = keeps
	}
}

// Guess has the content of a message kept whose head is not known yet.
func (k *Content) Guess(s *Shared, from Side) {
	if s.Content != nil && k.state[from] == keepsNothing {
		k.state[from] = keeps
	}
}

// Wanted reports whether the content of a message is kept. What has it hands it to Add.
func (k *Content) Wanted(from Side) bool { return k.state[from] == keeps }

// Add takes the next bytes of a message's content. They are copied.
func (k *Content) Add(from Side, b []byte) {
	switch {
	case k.state[from] != keeps:
	case len(k.kept[from])+len(b) > linger.MaxMessage:
		k.Lose(from)
	default:
		k.kept[from] = append(k.kept[from], b...)
	}
}

// Lose says that a part of a message's content is missing.
func (k *Content) Lose(from Side) {
	if k.state[from] == keeps {
		k.kept[from], k.state[from] = nil, lost
	}
}

// Hand hands an exchange of HTTP on that has ended, and returns what it was of: of DNS, where
// its messages say so, else of p.
func (s *Shared) Hand(p linger.Protocol, x *trace.Exchange, k *Content) linger.Protocol {
	if s.Content != nil && (x.ContentType == DNSMessage || k.state[Client] != keepsNothing || strings.Contains(x.URL, "?dns=")) {
		p = s.Content(p, x, k.kept[Client], k.kept[Server])
	}
	s.Emit(p, x)
	return p
}

// Absolute returns where a Location points to, seen from a URL; empty where that is not known.
func Absolute(from, to string) string {
	to = linger.WithoutUser(to)
	scheme, rest, ok := strings.Cut(from, "://")
	switch {
	case strings.Contains(to, "://"):
		return to
	case !ok:
	case strings.HasPrefix(to, "//"):
		return scheme + ":" + to
	case strings.HasPrefix(to, "/"):
		host, _, _ := strings.Cut(rest, "/")
		return scheme + "://" + host + to
	}
	return ""
}
