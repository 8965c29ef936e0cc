// Package site says what a server answers to a request: the objects of a workload, the names
// that it looks up by DNS, and the paths that every server has. It knows neither sockets nor
// clocks nor protocols of transport; those that do hand it requests and send what it answers.
//
// Find answers a request of HTTP, whatever its version; Query reads a message of DNS, whatever
// carries it. Both come to an Answer, which says what to send, when, and what the log calls it.
package site

import (
	"cmp"
	"io"
	"net/http"
	"time"

	"linger/origin/head"
	"linger/origin/misbehave"
)

// An Answer is what is sent for one request, but for what depends on the
// connection.
type Answer struct {
	Method, Target string // for the log
	Status         int    // of DNS, the response code
	// Fields are those that depend on what is answered alone.
	Fields []Field
	// Length is that of the content, as Content-Length says it; -1 says nothing.
	Length int64
	// The content is Body where that is at hand, else Stream; neither, and only a head is
	// sent.
	Body   []byte
	Stream io.Reader
	// HeadSize is the size that the head is padded to.
	HeadSize int
	Delay    time.Duration
	// Take, where set, makes the answer of the request's content, which is read for it.
	Take func(content []byte) Answer
	// Misbehaviour is what the path asks of the connection; nil is nothing.
	Misbehaviour *misbehave.Kind
}

// HasContent reports whether content is sent behind the head.
func (a *Answer) HasContent() bool { return a.Body != nil || a.Stream != nil }

// Bytes is how much content is sent behind the head.
func (a *Answer) Bytes() int64 {
	if !a.HasContent() {
		return 0
	}
	return a.Length
}

// Complete returns the answer to a request whose content has arrived.
func (a Answer) Complete(content []byte) Answer {
	if a.Take == nil {
		return a
	}
	done := a.Take(content)
	done.Method, done.Target = a.Method, a.Target
	return done
}

// Instead returns other in the place of a: it is the answer to the same request.
func (a Answer) Instead(other Answer) Answer {
	other.Method, other.Target = a.Method, a.Target
	if a.Method == http.MethodHead {
		other.Body = nil
	}
	return other
}

// Refused returns the answer that a refusal is, in the place of what would have been
// answered, if that was known by then; isHEAD says that the method is HEAD.
func Refused(no *head.Refusal, instead Answer, isHEAD bool) Answer {
	a := Text(no.Status, no.Text+"\n")
	a.Method, a.Target = cmp.Or(instead.Method, "-"), cmp.Or(instead.Target, "-")
	if isHEAD {
		a.Body = nil
	}
	return a
}

// A Field is one field of a head: its name as HTTP/1 heads have it, in lower case
// as HTTP/2 and HTTP/3 must have it (RFC 9113, 8.2.1), and its value.
type Field struct{ Name, Lower, Value string }

func contentType(value string) Field { return Field{"Content-Type", "content-type", value} }

// Text is an answer in words.
func Text(status int, body string, fields ...Field) Answer {
	return words(status, []byte(body), fields...)
}

func words(status int, body []byte, fields ...Field) Answer {
	fields = append([]Field{contentType("text/plain; charset=utf-8")}, fields...)
	return Answer{Status: status, Fields: fields, Length: int64(len(body)), Body: body}
}

// Reason is the phrase that belongs to a status.
func Reason(status int) string { return cmp.Or(http.StatusText(status), "Status") }
