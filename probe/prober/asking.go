package prober

import (
	"cmp"
	"iter"
	"strings"
)

// An Asking is what is asked for in any version of HTTP: the zero asking is for the target,
// in the ordinary way.
type Asking struct {
	Method string   // the ordinary one, where empty
	Fields []string // "Name: value", besides those of any request
}

// differs reports whether it is another than the ordinary one.
func (a Asking) differs() bool { return a.Method != "" || a.Fields != nil }

// Head are the fields of a request as HTTP/2 and HTTP/3 have them (RFC 9113, 8.3.1; RFC
// 9114, 4.3.1): those of control first, names in lower case. content says that some follows.
func (p *Prober) Head(method, scheme string, a Asking, content bool) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, f := range [...][2]string{{":method", method}, {":scheme", scheme}, {":authority", p.Target.Host}, {":path", p.Target.Path}} {
			if !yield(f[0], f[1]) {
				return
			}
		}
		for name, value := range p.Message.All("", content) {
			if !yield(strings.ToLower(name), value) {
				return
			}
		}
		for _, f := range a.Fields {
			name, value, _ := strings.Cut(f, ": ")
			if !yield(strings.ToLower(name), value) {
				return
			}
		}
	}
}

// Content is that of an ordinary request on HTTP/2 and HTTP/3, if the method is its own.
func (p *Prober) Content(method string, whole bool) []byte {
	if m := p.Message; whole && method == m.FirstMethod() {
		return m.Content
	}
	return nil
}

// Method is that of a request: its own, or that of the ordinary one.
func (p *Prober) Method(own string) string {
	return cmp.Or(own, p.Message.FirstMethod())
}
