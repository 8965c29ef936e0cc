package conformance

import (
	"net/http"
	"time"

	"linger"
	"linger/profile"
)

var http1Cases = []row{
	{"close-honoured", "closes after the response to a request that said Connection: close", linger.HTTP11, "RFC 9112, 9.6", profile.Must, "ignore-close"},
	{"close-last", "answers nothing that comes behind a request that said Connection: close", linger.HTTP11, "RFC 9112, 9.6", profile.Must, ""},
	{"close-staged", "closes in stages, so that no reset destroys the last response", linger.HTTP11, "RFC 9112, 9.6", profile.Advice, ""},
	{"close-repeated", "says Connection: close in the response to a request that said it", linger.HTTP11, "RFC 9112, 9.6", profile.Should, ""},
	{"close-kept", "closes after a response that said Connection: close", linger.HTTP11, "RFC 9112, 9.6", profile.Must, ""},
	{"close-announced", "says Connection: close on the last response of a connection", linger.HTTP11, "RFC 9112, 9.3 and 9.6", profile.Must, "unannounced-close"},
	{"keep-alive-honoured", "keeps open what it announced by Connection: keep-alive or Keep-Alive", linger.HTTP11, "RFC 9112, 9.3; draft-thomson-hybi-http-timeout-03", profile.Should, "false-keep-alive"},
	{"keep-alive-listed", "names the Keep-Alive field in Connection, as that of one hop", linger.HTTP11, "RFC 9110, 7.6.1", profile.Must, ""},
	{"timeout-honoured", "keeps idle connections for as many seconds as its Keep-Alive: timeout says", linger.HTTP11, "draft-thomson-hybi-http-timeout-03", profile.Should, "wrong-unit"},
	{"idle-orderly", "ends connections by FIN, so that nothing under way is destroyed", linger.HTTP11, "RFC 9112, 9.6; RFC 9293, 3.6", profile.Should, "reset"},
	{"idle-answered", "refuses what comes on a connection that it has given up, rather than say nothing", linger.HTTP11, "RFC 9112, 9.5; RFC 9293, 3.10.7", profile.Should, "black-hole"},
	{"idle-closed-whole", "closes both directions of a connection that it has given up", linger.HTTP11, "RFC 9112, 9.6", profile.Should, "half-close"},
	{"idle-no-race", "closes an idle connection when its time is over, not when the next request comes", linger.HTTP11, "RFC 9112, 9.5", profile.Advice, "race"},
	{"idle-wordless", "ends idle connections without a response to a request that nobody has sent", linger.HTTP11, "RFC 9110, 15.5.9", profile.Advice, "idle-408"},
	{"idle-long-enough", "keeps idle connections for at least a second", linger.HTTP11, "docs/probe.md", profile.Advice, "short-idle"},
	{"requests-enough", "allows at least ten requests on a connection", linger.HTTP11, "docs/probe.md", profile.Advice, "few-requests"},
	{"message-complete", "ends no connection within a message", linger.HTTP11, "RFC 9112, 8", profile.Must, "cut-after-bytes"},
	{"pipeline-order", "answers pipelined requests in their order", linger.HTTP11, "RFC 9112, 9.3.2", profile.Must, "out-of-order"},
	{"http10-closes", "closes after the response to HTTP/1.0 without keep-alive", linger.HTTP11, "RFC 9112, 9.3", profile.Must, ""},
	{"http10-keep-alive", "says keep-alive to HTTP/1.0 where it keeps the connection", linger.HTTP11, "RFC 2068, 19.7.1", profile.Should, ""},
	{"http10-no-chunks", "sends no Transfer-Encoding to HTTP/1.0", linger.HTTP11, "RFC 9112, 6.1", profile.Must, ""},
	{"body-read", "reads the content of a request, or closes", linger.HTTP11, "RFC 9112, 9.3", profile.Must, ""},
	{"head-empty", "sends no content with the response to HEAD", linger.HTTP11, "RFC 9110, 9.3.2", profile.Must, "head-content"},
	{"no-content-empty", "sends no content with 204", linger.HTTP11, "RFC 9110, 15.3.5", profile.Must, ""},
	{"not-modified-empty", "sends no content with 304", linger.HTTP11, "RFC 9110, 15.4.5", profile.Must, ""},
	{"nothing-behind", "sends nothing behind a response that belongs to no message", linger.HTTP11, "RFC 9112, 6.3 and 11.2; RFC 9110, 8.6", profile.Must, "stray-bytes"},
	{"length-absent", "sends neither Content-Length nor Transfer-Encoding with 1xx and 204", linger.HTTP11, "RFC 9110, 8.6; RFC 9112, 6.1", profile.Must, ""},
	{"length-single", "gives a response one length, by Transfer-Encoding or by one Content-Length", linger.HTTP11, "RFC 9112, 6.2 and 6.3", profile.Must, ""},
	{"interim-whole", "sends interim responses whole, before the final one, and none to HTTP/1.0", linger.HTTP11, "RFC 9110, 15.2", profile.Must, ""},
	{"head-grammar", "sends heads by the grammar: no folded line, no space before a colon", linger.HTTP11, "RFC 9112, 4, 5.1 and 5.2", profile.Must, ""},
	{"expect-answered", "answers Expect: 100-continue before the content", linger.HTTP11, "RFC 9110, 10.1.1", profile.Must, ""},
	{"framing-both", "closes after a request with both Transfer-Encoding and Content-Length", linger.HTTP11, "RFC 9112, 6.1", profile.Must, ""},
	{"framing-lengths", "answers 400 to differing Content-Lengths, and closes", linger.HTTP11, "RFC 9112, 6.3", profile.Must, ""},
	{"framing-length", "answers 400 to a Content-Length that is none, and closes", linger.HTTP11, "RFC 9112, 6.3", profile.Must, ""},
	{"framing-chunks", "refuses a chunk without a size, or closes", linger.HTTP11, "RFC 9112, 7.1 and 8", profile.Should, ""},
	{"host-missing", "answers 400 to HTTP/1.1 without Host", linger.HTTP11, "RFC 9112, 3.2", profile.Must, ""},
	{"field-space", "answers 400 to a space between a field's name and its colon", linger.HTTP11, "RFC 9112, 5.1", profile.Must, ""},
}

// AskedToClose is what became of a connection whose client had asked for its end.
type AskedToClose struct {
	Closing
	// Repeated says that the response to that said close, too.
	Repeated bool
}

// Judge decides close-honoured, and close-repeated where the response said so: where it
// did not, what else is known of the server decides.
func (f AskedToClose) Judge() []profile.Result {
	return one(func(r *ruling) {
		// RFC 9112, 9.6: "A server that receives a "close" connection option MUST initiate
		// closure of the connection (see below) after it sends the final response to the
		// request that contained the "close" connection option."
		switch {
		case f.How != "":
			r.pass("close-honoured", "it closed (%s) %s after the response", f.How, f.After.Round(time.Millisecond))
		case f.Open():
			r.broken("close-honoured", "the connection stays open after the response, and %s", more(f.Answered))
		}
		if f.Repeated {
			r.pass("close-repeated", "the response says so, too")
		}
	})
}

// HTTP10 is what was seen of requests by HTTP/1.0, without and with keep-alive; unknown
// where there was no answer.
type HTTP10 struct {
	Plain linger.Opt[HTTP10Plain]
	Kept  linger.Opt[HTTP10Kept]
}

// HTTP10Plain is a response to a request without keep-alive.
type HTTP10Plain struct {
	Chunked    bool
	UntilClose bool // the end of the connection was that of the content
	Closing    Closing
}

// HTTP10Kept is a response to a request with keep-alive.
type HTTP10Kept struct {
	Chunked    bool
	UntilClose bool
	Says       bool // it says keep-alive
	Next       Next
}

// Judge decides what these responses do: whether a connection that stays open breaks
// http10-closes, and one that ends http10-keep-alive, is for HTTP1 to say.
func (f HTTP10) Judge() []profile.Result {
	return one(func(r *ruling) {
		plain, first := f.Plain.Get()
		kept, second := f.Kept.Get()
		// RFC 9112, 6.1: "A server MUST NOT send a response containing Transfer-Encoding
		// unless the corresponding request indicates HTTP/1.1 (or later minor revisions)."
		if first && plain.Chunked || second && kept.Chunked {
			r.broken("http10-no-chunks", "a response to HTTP/1.0 came in chunks")
		} else if second {
			r.pass("http10-no-chunks", "responses to HTTP/1.0 came without")
		}
		switch {
		case first && plain.UntilClose:
			r.pass("http10-closes", "the end of the connection was that of the content")
		case first && plain.Closing.How != "":
			r.pass("http10-closes", "it closed (%s)", plain.Closing.How)
		}
		if !second {
			return
		}
		// RFC 2068, 19.7.1: a server that keeps the connection says so by the same option,
		// since "the client MUST NOT assume" it otherwise.
		const id = "http10-keep-alive"
		switch {
		case kept.UntilClose, kept.Next == Ended && !kept.Says:
			r.unmeasured(id, "it does not keep connections of HTTP/1.0")
		case kept.Next == Answered && kept.Says:
			r.pass(id, "the response says keep-alive, and another request was answered")
		case kept.Next == Answered:
			r.broken(id, "the connection is kept and the response does not say keep-alive: the client has to take it for closed")
		}
	})
}

// Pipelined is what came of requests that were sent without waiting.
type Pipelined struct {
	Sent, Answered int
	// Alike says that all of them are answered alike, so that their order does not show,
	// Strayed that bytes came between them which belong to none.
	Alike, Strayed bool
	// Wrong is the first answer that is not that of its request, 0 if there is none, with
	// the status that it had, and the one that the request has when it is asked alone.
	Wrong, Status, Want int
}

// Judge decides pipeline-order.
func (f Pipelined) Judge() []profile.Result {
	// RFC 9112, 9.3.2: "A server MAY process a sequence of pipelined requests in parallel
	// if they all have safe methods, but it MUST send the corresponding responses in the
	// same order that the requests were received."
	const id = "pipeline-order"
	return one(func(r *ruling) {
		switch {
		case f.Strayed:
			r.unmeasured(id, "bytes that belong to no message came between the answers")
		case f.Answered < 2:
			r.unmeasured(id, "of %d requests that were sent at once %d were answered", f.Sent, f.Answered)
		case f.Alike:
			r.unmeasured(id, "all that it is asked is answered alike, so that the order does not show")
		case f.Wrong != 0:
			r.broken(id, "the answer to request %d is that of another: %d, not %d", f.Wrong, f.Status, f.Want)
		default:
			r.pass(id, "%d answers came in the order of their requests", f.Answered).by(counted("answered", f.Answered))
		}
	})
}

// InOrder is whether the answers came in the order of the requests, where that shows.
func (f Pipelined) InOrder() linger.Opt[bool] {
	if f.Answered < 2 || f.Alike || f.Strayed {
		return linger.Opt[bool]{}
	}
	return linger.Known(f.Wrong == 0)
}

// Content is what came of a POST whose content looks like another request.
type Content struct {
	Status int
	Close  bool // the response says that the connection ends
	Next   Next // of a request behind it
	More   bool // there was a response besides the two
}

// Judge decides body-read.
func (f Content) Judge() []profile.Result {
	// RFC 9112, 9.3: "A server MUST read the entire request message body or close the
	// connection after sending its response; otherwise, the remaining data on a persistent
	// connection would be misinterpreted as the next request."
	return one(func(r *ruling) {
		switch {
		case f.More:
			r.broken("body-read", "the content of a POST (%d), which looks like a request, was answered as one", f.Status)
		case f.Close || f.Next == Ended:
			r.pass("body-read", "it closes after its response (%d)", f.Status)
		case f.Next == Answered:
			r.pass("body-read", "the content of a POST (%d) was read, and the next request answered", f.Status)
		}
	})
}

// Expecting is whether something came while content was held back that was announced
// by Expect: 100-continue, within so long; Unheard that nothing came either to a POST
// whose content was sent at once.
type Expecting struct {
	Came    bool
	Within  time.Duration
	Unheard bool
	Ended   bool // the connection ended before
	// Heard says that the request was answered once the content had been sent all the
	// same, so that somebody had read it.
	Heard bool
}

// Judge decides expect-answered.
func (f Expecting) Judge() []profile.Result {
	// RFC 9110, 10.1.1: "Upon receiving an HTTP/1.1 (or later) request that has a method,
	// target URI, and complete header section that contains a 100-continue expectation and
	// indicates that request content will follow, an origin server MUST send either: an
	// immediate response with a final status code, [...] or an immediate 100 (Continue)
	// response".
	return one(func(r *ruling) {
		switch {
		case f.Came:
			r.pass("expect-answered", "it answered before the content was sent")
		case f.Unheard:
			r.unmeasured("expect-answered", "it answers no POST in %s, with Expect or without", f.Within)
		case f.Ended:
			r.broken("expect-answered", "it ended the connection without an answer, while the content was held back")
		case f.Heard:
			r.broken("expect-answered", "nothing came in %s, while the content was held back", f.Within)
		default:
			r.unmeasured("expect-answered", "nothing came in %s, nor when the content had been sent", f.Within)
		}
	})
}

// Malformed is what came of what is no request, or of which nobody can tell the end.
type Malformed struct {
	ID string
	// Refuse says that it has to be answered by 400, Close that the connection has to end.
	Refuse, Close bool
	Next          Next
	Why           string // of Garbled
	Status        int    // of Answered
	// Ordinary says that the answer is that to a request which is well-formed.
	Ordinary bool
	// Lied says that the response announced the end that did not come.
	Lied    bool
	Closing Closing       // where it was looked
	Within  time.Duration // how long was waited
}

// Accepted reports whether it was answered as it must not be, so that what becomes of
// the connection does not matter.
func (f Malformed) Accepted() bool {
	return f.Next == Answered && f.Refuse && f.Status/100 != 4 && f.Status/100 != 5
}

// Judge decides the case.
func (f Malformed) Judge() []profile.Result {
	return one(func(r *ruling) {
		switch {
		case f.Next == Ended:
			r.pass(f.ID, "it closed without an answer")
		case f.Next == Silent && f.ID == "framing-chunks":
			r.broken(f.ID, "nothing came in %s, and the connection is open", f.Within)
		case f.Next != Answered:
			r.unmeasured(f.ID, "%s", f.Why)
		case f.Accepted():
			r.broken(f.ID, "it was answered %d", f.Status)
		case f.Refuse && f.Ordinary && f.Status != http.StatusBadRequest && !(f.Close && f.Closing.Answered):
			r.unmeasured(f.ID, "it was answered %d, as what is well-formed", f.Status)
		case !f.Close:
			r.pass(f.ID, "it was answered %d", f.Status)
		case f.Closing.How != "":
			r.pass(f.ID, "it was answered %d, and closed", f.Status)
		case f.Closing.Open() && f.Lied:
			r.unmeasured(f.ID, "it was answered %d with Connection: close, and stays open; see close-kept", f.Status)
		case f.Closing.Open():
			r.broken(f.ID, "it was answered %d; the connection stays open, and %s", f.Status, more(f.Closing.Answered))
		}
	})
}
