package ask

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// A Message is what requests say besides what is asked for, as curl's -A, -H, -X and -d
// have it. What it says may be secret: no trace, log or message repeats it.
type Message struct {
	// Agent is the product that calls itself the client; empty is "linger".
	Agent string
	// Fields are in every request, in their order. One that is named like one of the
	// client's own takes its place.
	Fields []Field
	// Method is that of the first request, the document's; empty is POST where there is
	// Content, and else GET. Others are GET.
	Method  string
	Content []byte // of the first request
}

// A Field is one of a request's head. An Absent one is not sent, also where the client
// would.
type Field struct {
	Name, Value string
	Absent      bool
}

// ParseField reads "Name: value"; "Name:" leaves a field out, and "Name;" sends it empty, as
// curl's -H has it. Its errors do not repeat the value. Fields that say how the connection
// is used, or where a message ends, are refused: the strategy and the protocol say that.
func ParseField(s string) (Field, error) {
	name, value, ok := strings.Cut(s, ":")
	f := Field{Name: name, Value: strings.Trim(value, " \t")}
	if bare, empty := strings.CutSuffix(s, ";"); !ok && empty {
		f.Name, ok = bare, true
	} else {
		f.Absent = f.Value == ""
	}
	switch {
	case !ok || !httpguts.ValidHeaderFieldName(f.Name):
		return Field{}, fmt.Errorf("a field is NAME: VALUE, as 'Accept: text/html'")
	case !httpguts.ValidHeaderFieldValue(f.Value):
		return Field{}, fmt.Errorf("the value of %s has characters that no field may have", f.Name)
	case slices.ContainsFunc(reserved, func(r string) bool { return strings.EqualFold(r, f.Name) }):
		return Field{}, fmt.Errorf("%s is said by the strategy and the protocol; leave it out", f.Name)
	}
	return f, nil
}

// reserved are the fields of the connection and of a message's length (RFC 9110, 7.6.1; RFC
// 9112, 6).
var reserved = []string{"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Content-Length", "Upgrade", "Expect"}

// Field returns the field of a name, the last one.
func (m Message) Field(name string) (Field, bool) {
	for _, f := range slices.Backward(m.Fields) {
		if strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return Field{}, false
}

// Host is what the message says in place of a URL's host; empty is nothing.
func (m Message) Host() string {
	f, _ := m.Field("Host")
	return f.Value
}

// FirstMethod is the method of the first request.
func (m Message) FirstMethod() string {
	if m.Method == "" && len(m.Content) > 0 {
		return "POST"
	}
	return cmp.Or(m.Method, "GET")
}

// All are the fields of a request, but for Host and those of its length: the client's own,
// with the coding of contents that it takes, "" is none, and those of the message.
func (m Message) All(encoding string, content bool) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		own := [...]Field{{Name: userAgent, Value: m.Agent}, {Name: "Accept", Value: "*/*"},
			{Name: "Accept-Encoding", Value: encoding, Absent: encoding == ""},
			// As curl's -d has it.
			{Name: "Content-Type", Value: "application/x-www-form-urlencoded", Absent: !content}}
		for _, f := range own {
			if _, ok := m.Field(f.Name); !ok && !f.Absent && !yield(f.Name, f.Value) {
				return
			}
		}
		for _, f := range m.Fields {
			ofContent := strings.EqualFold(f.Name, "Content-Type") && len(m.Content) > 0 && !content
			if !f.Absent && !ofContent && !strings.EqualFold(f.Name, "Host") && !yield(f.Name, f.Value) {
				return
			}
		}
	}
}

// userAgent is the field that names the client.
const userAgent = "User-Agent"
