package conformance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/profile"
)

const (
	second = time.Second
	milli  = time.Millisecond
)

// seen is a limit that was seen to end connections, in one way.
var calm = &profile.Closing{Frame: "GOAWAY", Code: "ENHANCE_YOUR_CALM", Error: true}

func seen(d time.Duration, how profile.Ending) profile.Timeout {
	t := measured(profile.Duration(d), profile.Duration(milli))
	t.Ending = how
	return t
}

// least is a limit that waiting did not reach.
func least(d time.Duration) profile.Timeout {
	return profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: profile.Duration(d), N: 2}}
}

var unknown = profile.Timeout{State: profile.Unknown, Why: "no connection could be opened"}

// A ruled row is what came of one case; "" is that the facts say nothing of it.
type ruled struct {
	name    string
	facts   Facts
	id      string
	outcome profile.Outcome
	text    string // that is part of what is told
}

// quiet is a server of HTTP/1.1 that does everything right, and little.
func quiet(change func(*HTTP1)) HTTP1 {
	f := HTTP1{RTT: 10 * milli, Watched: seen(5*second, profile.FIN), Counted: 45, Lingered: 7 * second, Unread: 64 << 10}
	f.Idle = f.Watched
	if change != nil {
		change(&f)
		if f.Idle.State == "" || f.Idle == seen(5*second, profile.FIN) {
			f.Idle = f.Watched
		}
	}
	return f
}

var (
	ended    = func(n int) func(*HTTP1) { return func(f *HTTP1) { f.Requests, f.Counted = linger.Known(n), n } }
	closes   = Closing{How: profile.FIN, After: 2 * milli}
	answers  = Closing{Answered: true}
	lost     = Closing{Lost: true}
	fivesecs = linger.Known(5 * second)
)

const (
	pass       = profile.Pass
	fail       = profile.Fail
	warn       = profile.Warn
	unmeasured = profile.NotMeasured
	nothing    = profile.Outcome("")
)

var rulings = []ruled{
	// HTTP/1.1, all together.
	{"whole messages", quiet(nil), "message-complete", pass, "45 responses"},
	{"a message cut off", quiet(func(f *HTTP1) { f.Cut = "a response (200) ended after 5 bytes of its content" }), "message-complete", fail, "after 5 bytes"},
	{"no message", quiet(func(f *HTTP1) { f.Counted = 0 }), "message-complete", nothing, ""},
	{"closed in both directions", quiet(func(f *HTTP1) { f.Whole = true }), "idle-closed-whole", pass, "7s"},
	{"closed in one", quiet(func(f *HTTP1) { f.Half = "an idle connection" }), "idle-closed-whole", warn, "an idle connection took what was sent 7s later"},
	{"nobody looked", quiet(nil), "idle-closed-whole", nothing, ""},

	{"the last response says so", quiet(func(f *HTTP1) { ended(20)(f); f.Announced = true }), "close-announced", pass, "20"},
	{"a later one does not", quiet(ended(20)), "close-announced", warn, "behind response 20"},
	{"the first does not", quiet(ended(1)), "close-announced", fail, "one response"},
	{"it is not exhausted", quiet(nil), "close-announced", unmeasured, "45 requests"},
	{"one direction only explains it", quiet(func(f *HTTP1) { ended(20)(f); f.Half = "x" }), "close-announced", unmeasured, "idle-closed-whole"},
	{"it said the contrary, which counts elsewhere", quiet(func(f *HTTP1) { ended(20)(f); f.Claimed = "Connection: keep-alive"; f.Said = true }), "close-announced", unmeasured, "keep-alive-honoured"},
	{"a limit of idleness shorter than a round trip is none of requests", quiet(func(f *HTTP1) { ended(3)(f); f.RTT, f.Watched = 200*milli, seen(100*milli, profile.FIN) }), "close-announced", nothing, ""},
	{"nor one that this side is late by", quiet(func(f *HTTP1) { ended(3)(f); f.Late, f.Watched = 200*milli, seen(100*milli, profile.FIN) }), "close-announced", nothing, ""},

	{"kept as said", quiet(func(f *HTTP1) { f.Said = true }), "keep-alive-honoured", pass, "45 requests"},
	{"kept as Keep-Alive says", quiet(func(f *HTTP1) { f.KeepAlive = true }), "keep-alive-honoured", pass, ""},
	{"closed behind a promise", quiet(func(f *HTTP1) { ended(3)(f); f.Claimed = "Keep-Alive: max=100"; f.KeepAlive = true }), "keep-alive-honoured", warn, "response 3 said Keep-Alive: max=100"},
	{"nothing is said", quiet(nil), "keep-alive-honoured", unmeasured, "announces nothing"},
	{"listed", quiet(func(f *HTTP1) { f.KeepAlive = true }), "keep-alive-listed", pass, ""},
	{"not listed", quiet(func(f *HTTP1) { f.KeepAlive, f.Unlisted = true, "timeout=5" }), "keep-alive-listed", fail, "timeout=5"},
	{"no such field", quiet(nil), "keep-alive-listed", unmeasured, ""},

	{"enough, and open", quiet(nil), "requests-enough", pass, "45"},
	{"enough, and then closed", quiet(func(f *HTTP1) { ended(20)(f); f.Announced = true }), "requests-enough", pass, "after 20"},
	{"too few", quiet(func(f *HTTP1) { ended(5)(f); f.Announced = true }), "requests-enough", warn, "after 5"},
	{"an end without a word says nothing of the number", quiet(ended(5)), "requests-enough", nothing, ""},

	{"ended in time", quiet(nil), "idle-answered", pass, "ended (FIN)"},
	{"answered after a wait", quiet(func(f *HTTP1) { f.Watched = least(20 * second); f.Looked.Answered = 9 * second }), "idle-answered", pass, "answered after 9s"},
	{"silent", quiet(func(f *HTTP1) {
		f.Watched = unknown
		f.Looked = AskedAgain{Answered: 2 * second, Failed: 3 * second, How: profile.Silence, Bracketed: true}
		f.Idle = seen(2500*milli, profile.Silence)
	}), "idle-answered", warn, "after 3s of idleness, where 2s was still fine"},
	{"nothing was seen of idleness", quiet(func(f *HTTP1) { f.Watched = unknown }), "idle-answered", nothing, ""},
	{"silence is no race", quiet(func(f *HTTP1) {
		f.Watched = unknown
		f.Looked = AskedAgain{Answered: 2 * second, Failed: 3 * second, How: profile.Silence, Bracketed: true}
		f.Idle = seen(2500*milli, profile.Silence)
	}), "idle-no-race", pass, "answered after 2s"},
	{"a race", quiet(func(f *HTTP1) {
		f.Watched = least(20 * second)
		f.Looked = AskedAgain{Answered: 300 * milli, Failed: 900 * milli, How: profile.AtRequest, Bracketed: true}
		f.Idle = seen(600*milli, profile.AtRequest)
	}), "idle-no-race", warn, "after 900ms of idleness"},
	{"no race", quiet(nil), "idle-no-race", pass, ""},
	{"every connection ends at once", quiet(ended(1)), "idle-no-race", nothing, ""},
	{"a cut message disturbs it", quiet(func(f *HTTP1) { f.Cut = "x" }), "idle-no-race", nothing, ""},

	{"by FIN", quiet(func(f *HTTP1) { f.Orderly = 6 }), "idle-orderly", pass, "6 ends"},
	{"by RST", quiet(func(f *HTTP1) { f.Orderly, f.Resets = 2, []string{"an idle connection"} }), "idle-orderly", warn, "an idle connection was ended by RST"},
	{"no end", quiet(nil), "idle-orderly", nothing, ""},

	{"long enough", quiet(nil), "idle-long-enough", pass, "4.999–5.001 s"},
	{"a lower bound that is enough", quiet(func(f *HTTP1) { f.Watched = least(20 * second) }), "idle-long-enough", pass, "at least 20 s"},
	{"too short", quiet(func(f *HTTP1) { f.Watched = seen(200*milli, profile.FIN) }), "idle-long-enough", warn, "199–201 ms"},
	{"a second, as far as can be told", quiet(func(f *HTTP1) { f.Watched = seen(950*milli, profile.FIN) }), "idle-long-enough", pass, ""},
	{"waiting was short", quiet(func(f *HTTP1) { f.Watched = least(500 * milli) }), "idle-long-enough", nothing, ""},
	{"that it ends at once counts elsewhere", quiet(func(f *HTTP1) { ended(1)(f); f.Watched = seen(200*milli, profile.FIN) }), "idle-long-enough", nothing, ""},

	{"as announced", quiet(func(f *HTTP1) { f.Timeout = fivesecs }), "timeout-honoured", pass, "announces 5 s"},
	{"earlier by as much as this side was late", quiet(func(f *HTTP1) { f.Timeout, f.Watched, f.Late = fivesecs, seen(4700*milli, profile.FIN), 150*milli }), "timeout-honoured", unmeasured, "cannot be told apart"},
	{"earlier", quiet(func(f *HTTP1) { f.Timeout, f.Watched = fivesecs, seen(3*second, profile.FIN) }), "timeout-honoured", warn, "closes after 2.999–3.001 s"},
	{"milliseconds", quiet(func(f *HTTP1) { f.Timeout, f.Watched = linger.Known(3000*second), seen(3*second, profile.FIN) }), "timeout-honoured", warn, "this looks like milliseconds"},
	{"later than waiting", quiet(func(f *HTTP1) { f.Timeout, f.Watched = linger.Known(60*second), least(20*second) }), "timeout-honoured", unmeasured, "waiting ended before"},
	{"nothing announced", quiet(nil), "timeout-honoured", unmeasured, "announces no"},
	{"announced, and each ends at once", quiet(func(f *HTTP1) { ended(1)(f); f.Timeout = fivesecs }), "timeout-honoured", unmeasured, "behind one response"},

	{"closed as it said", quiet(func(f *HTTP1) { f.Kept = 3 }), "close-kept", pass, "3 times"},
	{"said and not done", quiet(func(f *HTTP1) { f.Kept, f.Lie = 3, linger.Known(Lie{"after POST", 405, answers}) }), "close-kept", fail, "after POST, the response (405) says close; the connection stays open, and answers"},
	{"never said", quiet(nil), "close-kept", nothing, ""},
	{"deaf behind the end", quiet(func(f *HTTP1) { f.Behind = linger.Known(false) }), "close-last", pass, ""},
	{"answered behind the end", quiet(func(f *HTTP1) { f.Behind = linger.Known(true) }), "close-last", fail, "was answered"},
	{"which that it does not close explains", quiet(func(f *HTTP1) { f.Behind, f.Deaf = linger.Known(true), true }), "close-last", unmeasured, "does not close"},
	{"or that it answers out of order", quiet(func(f *HTTP1) { f.Behind, f.Disordered = linger.Known(true), true }), "close-last", unmeasured, "another order"},
	{"in stages", quiet(func(f *HTTP1) { f.Staged = linger.Known(true) }), "close-staged", pass, "64 kB"},
	{"at once", quiet(func(f *HTTP1) { f.Staged = linger.Known(false) }), "close-staged", warn, "may lose"},
	{"at once, and the response is lost", quiet(func(f *HTTP1) { f.Staged, f.Destroyed = linger.Known(false), true }), "close-staged", warn, "no response"},
	{"it resets everything", quiet(func(f *HTTP1) { f.Staged, f.Resets = linger.Known(false), []string{"x"} }), "close-staged", unmeasured, "idle-orderly"},
	{"HTTP/1.0 stays open", quiet(func(f *HTTP1) { f.Old = linger.Known(false) }), "http10-closes", fail, "does not answer another"},
	{"as everything does", quiet(func(f *HTTP1) { f.Old, f.Deaf = linger.Known(true), true }), "http10-closes", unmeasured, "does not close"},
	{"not repeated", quiet(func(f *HTTP1) { f.Unrepeated = true }), "close-repeated", warn, "does not say so"},
	{"it announces no end at all", quiet(func(f *HTTP1) { ended(20)(f); f.Unrepeated = true }), "close-repeated", unmeasured, ""},
	{"HTTP/1.0 is promised more than it gets", quiet(func(f *HTTP1) { f.OldClosed = true }), "http10-keep-alive", warn, "was closed"},
	{"as is HTTP/1.1", quiet(func(f *HTTP1) { ended(1)(f); f.OldClosed = true }), "http10-keep-alive", nothing, ""},

	// Single experiments of HTTP/1.1.
	{"closed", AskedToClose{Closing: closes}, "close-honoured", pass, "it closed (FIN) 2ms after"},
	{"open and deaf", AskedToClose{}, "close-honoured", fail, "does not answer another"},
	{"open and talking", AskedToClose{Closing: answers}, "close-honoured", fail, "answers another"},
	{"nobody saw", AskedToClose{Closing: lost}, "close-honoured", nothing, ""},
	{"repeated", AskedToClose{Closing: closes, Repeated: true}, "close-repeated", pass, ""},
	{"not repeated decides nothing alone", AskedToClose{Closing: closes}, "close-repeated", nothing, ""},
	{"1.0, chunks without keep-alive", HTTP10{Plain: linger.Known(HTTP10Plain{Chunked: true})}, "http10-no-chunks", fail, ""},
	{"1.0, chunks with keep-alive", HTTP10{Plain: linger.Known(HTTP10Plain{}), Kept: linger.Known(HTTP10Kept{Chunked: true})}, "http10-no-chunks", fail, ""},
	{"1.0, no chunks", HTTP10{Plain: linger.Known(HTTP10Plain{}), Kept: linger.Known(HTTP10Kept{})}, "http10-no-chunks", pass, ""},
	{"1.0, one response is not enough", HTTP10{Plain: linger.Known(HTTP10Plain{})}, "http10-no-chunks", nothing, ""},
	{"1.0 closes", HTTP10{Plain: linger.Known(HTTP10Plain{Closing: closes})}, "http10-closes", pass, "FIN"},
	{"1.0 ends with its content", HTTP10{Plain: linger.Known(HTTP10Plain{UntilClose: true})}, "http10-closes", pass, "that of the content"},
	{"1.0 stays open", HTTP10{Plain: linger.Known(HTTP10Plain{Closing: answers})}, "http10-closes", nothing, ""},
	{"1.0 kept and said", HTTP10{Kept: linger.Known(HTTP10Kept{Says: true, Next: Answered})}, "http10-keep-alive", pass, ""},
	{"1.0 kept and not said", HTTP10{Kept: linger.Known(HTTP10Kept{Next: Answered})}, "http10-keep-alive", warn, ""},
	{"1.0 not kept", HTTP10{Kept: linger.Known(HTTP10Kept{Next: Ended})}, "http10-keep-alive", unmeasured, ""},
	{"1.0 cannot be kept", HTTP10{Kept: linger.Known(HTTP10Kept{UntilClose: true})}, "http10-keep-alive", unmeasured, ""},
	{"1.0 said and not kept is for all together", HTTP10{Kept: linger.Known(HTTP10Kept{Says: true, Next: Ended})}, "http10-keep-alive", nothing, ""},
	{"in order", Pipelined{Sent: 6, Answered: 6}, "pipeline-order", pass, "6 answers"},
	{"out of order", Pipelined{Sent: 6, Answered: 6, Wrong: 2, Status: 404, Want: 200}, "pipeline-order", fail, "request 2 is that of another: 404, not 200"},
	{"bytes between", Pipelined{Sent: 6, Answered: 1, Strayed: true}, "pipeline-order", unmeasured, "between the answers"},
	{"alike", Pipelined{Sent: 6, Answered: 6, Alike: true}, "pipeline-order", unmeasured, "alike"},
	{"one answer has no order", Pipelined{Sent: 6, Answered: 1}, "pipeline-order", unmeasured, "1 were answered"},
	{"HEAD without content", Messages{Surplus: []Surplus{{Method: "HEAD", Status: 200}}}, "head-empty", pass, "1 response"},
	{"HEAD with content", Messages{Surplus: []Surplus{{Method: "HEAD", Status: 200, Bytes: 9, First: "<html>\r\n."}}}, "head-empty", fail, `9 bytes that belong to no message followed the response to HEAD (200): "<html>\r\n."`},
	{"HEAD with content that is no defect of the others", Messages{Surplus: []Surplus{{Method: "HEAD", Status: 200, Bytes: 4, First: "page"}}}, "nothing-behind", unmeasured, "heard out"},
	{"HEAD, and what comes behind everything", Messages{Surplus: []Surplus{{Method: "HEAD", Status: 200, Bytes: 2, First: "\r\n"}, {Status: 200, Bytes: 2, First: "\r\n"}}}, "head-empty", unmeasured, "nothing-behind"},
	{"no HEAD", Messages{}, "head-empty", unmeasured, "heard out"},
	{"204 without content", Messages{Surplus: []Surplus{{Method: "OPTIONS", Status: 204}}}, "no-content-empty", pass, ""},
	{"204 with content", Messages{Surplus: []Surplus{{Method: "OPTIONS", Status: 204, Bytes: 7, First: "no cors"}}}, "no-content-empty", fail, "OPTIONS (204)"},
	{"no 204", Messages{}, "no-content-empty", unmeasured, "204"},
	{"304 without content", Messages{Surplus: []Surplus{{Status: 304}}}, "not-modified-empty", pass, ""},
	{"304 with content", Messages{Surplus: []Surplus{{Status: 304, Bytes: 7, First: "content"}}}, "not-modified-empty", fail, "GET (304)"},
	{"no 304", Messages{}, "not-modified-empty", unmeasured, "304"},
	{"nothing behind", Messages{Surplus: []Surplus{{Status: 200}, {Status: 404}}}, "nothing-behind", pass, "2 responses"},
	{"an empty line behind", Messages{Surplus: []Surplus{{Status: 200, Bytes: 2, First: "\r\n"}}}, "nothing-behind", fail, `"\r\n"`},
	{"later", Messages{Surplus: []Surplus{{Status: 200, Bytes: 2, First: "\r\n", Later: true}}}, "nothing-behind", fail, "a little later"},
	{"nobody listened", Messages{}, "nothing-behind", unmeasured, ""},
	{"204 without length", Messages{Bare: 1}, "length-absent", pass, ""},
	{"204 with a length", Messages{Bare: 1, Faults: []Fault{{"length-absent", "a response (204) has Content-Length: 0"}}}, "length-absent", fail, "204"},
	{"no 204 whose head could have one", Messages{Heads: 9}, "length-absent", unmeasured, ""},
	{"one length", Messages{Heads: 9}, "length-single", pass, "9 heads"},
	{"two lengths of a response", Messages{Heads: 9, Faults: []Fault{{"length-single", "a response (200) has Content-Length more than once: 1 and 2"}}}, "length-single", fail, "1 and 2"},
	{"no response", Messages{}, "length-single", unmeasured, ""},
	{"100 as it should be", Messages{Interim: 1}, "interim-whole", pass, ""},
	{"100 without an empty line", Messages{Interim: 1, Faults: []Fault{{"interim-whole", "no empty line"}}}, "interim-whole", fail, "no empty line"},
	{"none", Messages{Heads: 9}, "interim-whole", unmeasured, ""},
	{"heads by the grammar", Messages{Heads: 9}, "head-grammar", pass, ""},
	{"a folded line", Messages{Heads: 9, Faults: []Fault{{"head-grammar", "a folded line"}}}, "head-grammar", fail, "folded"},
	{"no head", Messages{}, "head-grammar", unmeasured, ""},
	{"idle without a word", quiet(nil), "idle-wordless", pass, ""},
	{"408 into an idle connection", quiet(func(f *HTTP1) { f.Words = profile.SaidOf([]byte("HTTP/1.1 408 Request Timeout\r\n"), 70) }), "idle-wordless", warn, `it said 408: "HTTP/1.1 408 Request Timeout\r\n"…; a client`},
	{"408 into an unused connection", quiet(func(f *HTTP1) { f.Unused = profile.SaidOf([]byte("HTTP/1.0 408 x"), 14) }), "idle-wordless", warn, "had carried nothing"},
	{"no idle end", quiet(func(f *HTTP1) { f.Watched = least(20 * second) }), "idle-wordless", unmeasured, ""},
	{"an end behind 413 that is not said", quiet(func(f *HTTP1) { f.Ends = []UnsaidEnd{{"POST of 16 MB", 413, milli}} }), "close-announced", warn, "response (413) to POST of 16 MB"},
	{"an end that idleness may explain", quiet(func(f *HTTP1) {
		f.Watched = seen(200*milli, profile.FIN)
		f.Ends = []UnsaidEnd{{"HEAD", 200, 199 * milli}}
	}), "close-announced", unmeasured, "45 requests"},
	{"bytes of no message leave open what follows", quiet(func(f *HTTP1) { f.Counted, f.Surplus = 1, []Surplus{{Status: 200, Bytes: 2, First: "\r\n"}} }), "close-announced", unmeasured, "nothing-behind"},
	{"and whether what is behind the end is answered", quiet(func(f *HTTP1) {
		f.Behind, f.Surplus = linger.Known(true), []Surplus{{Status: 200, Bytes: 2, First: "\r\n"}}
	}), "close-last", unmeasured, "nothing-behind"},
	{"content read", Content{Status: 405, Next: Answered}, "body-read", pass, "was read"},
	{"content, and closed", Content{Status: 405, Close: true}, "body-read", pass, "closes after"},
	{"content, and gone", Content{Status: 405, Next: Ended}, "body-read", pass, "closes after"},
	{"content taken for a request", Content{Status: 405, Next: Answered, More: true}, "body-read", fail, "answered as one"},
	{"content, and nothing comes", Content{Status: 405, Next: Silent}, "body-read", nothing, ""},
	{"no 100, and an end", Expecting{Within: 5 * second, Ended: true}, "expect-answered", fail, "ended the connection"},
	{"no 100, and no answer to any POST", Expecting{Within: 5 * second, Unheard: true}, "expect-answered", unmeasured, "with Expect or without"},
	{"100", Expecting{Came: true}, "expect-answered", pass, ""},
	{"no 100", Expecting{Within: 5 * second, Heard: true}, "expect-answered", fail, "in 5s"},
	{"nothing at all", Expecting{Within: 5 * second}, "expect-answered", unmeasured, "nor when"},

	{"both framings, closed", Malformed{ID: "framing-both", Close: true, Next: Answered, Status: 400, Closing: closes}, "framing-both", pass, "answered 400, and closed"},
	{"both framings, open", Malformed{ID: "framing-both", Close: true, Next: Answered, Status: 200, Closing: answers}, "framing-both", fail, "stays open"},
	{"both framings, nobody saw", Malformed{ID: "framing-both", Close: true, Next: Answered, Status: 200, Closing: lost}, "framing-both", nothing, ""},
	{"two lengths, refused", Malformed{ID: "framing-lengths", Refuse: true, Close: true, Next: Answered, Status: 400, Closing: closes}, "framing-lengths", pass, ""},
	{"two lengths, taken", Malformed{ID: "framing-lengths", Refuse: true, Close: true, Next: Answered, Status: 200}, "framing-lengths", fail, "answered 200"},
	{"two lengths, no word", Malformed{ID: "framing-lengths", Refuse: true, Close: true, Next: Ended}, "framing-lengths", pass, "without an answer"},
	{"two lengths, silence", Malformed{ID: "framing-lengths", Refuse: true, Close: true, Next: Silent, Why: "no answer in time"}, "framing-lengths", unmeasured, "no answer in time"},
	{"no length, refused", Malformed{ID: "framing-length", Refuse: true, Close: true, Next: Answered, Status: 501, Closing: closes}, "framing-length", pass, ""},
	{"no length, open", Malformed{ID: "framing-length", Refuse: true, Close: true, Next: Answered, Status: 400}, "framing-length", fail, "stays open"},
	{"no length, no response", Malformed{ID: "framing-length", Refuse: true, Close: true, Next: Garbled, Why: "malformed"}, "framing-length", unmeasured, ""},
	{"a chunk without size, closed", Malformed{ID: "framing-chunks", Close: true, Next: Ended}, "framing-chunks", pass, ""},
	{"a chunk without size, waited for", Malformed{ID: "framing-chunks", Close: true, Next: Silent, Within: 5 * second}, "framing-chunks", warn, "nothing came in 5s"},
	{"a chunk without size, no response", Malformed{ID: "framing-chunks", Close: true, Next: Garbled, Why: "malformed"}, "framing-chunks", unmeasured, ""},
	{"two lengths, refused as all is, and read on", Malformed{ID: "framing-lengths", Refuse: true, Close: true, Next: Answered, Status: 405, Ordinary: true, Closing: Closing{Answered: true}}, "framing-lengths", fail, "answered 405"},
	{"two lengths, refused as all is", Malformed{ID: "framing-lengths", Refuse: true, Close: true, Next: Answered, Status: 405, Ordinary: true, Closing: closes}, "framing-lengths", unmeasured, "well-formed"},
	{"both framings, and an end that is said and does not come", Malformed{ID: "framing-both", Close: true, Next: Answered, Status: 400, Closing: answers, Lied: true}, "framing-both", unmeasured, "close-kept"},
	{"no Host, refused", Malformed{ID: "host-missing", Refuse: true, Next: Answered, Status: 400}, "host-missing", pass, ""},
	{"no Host, refused as all is", Malformed{ID: "host-missing", Refuse: true, Next: Answered, Status: 403, Ordinary: true}, "host-missing", unmeasured, "well-formed"},
	{"no Host, refused by 400 as all is", Malformed{ID: "host-missing", Refuse: true, Next: Answered, Status: 400, Ordinary: true}, "host-missing", pass, ""},
	{"no Host, taken", Malformed{ID: "host-missing", Refuse: true, Next: Answered, Status: 200}, "host-missing", fail, ""},
	{"a space, refused", Malformed{ID: "field-space", Refuse: true, Next: Answered, Status: 400}, "field-space", pass, ""},
	{"a space, taken", Malformed{ID: "field-space", Refuse: true, Next: Answered, Status: 200}, "field-space", fail, ""},

	// TLS.
	{"1.3 and 1.2", Versions{Taken: []string{"1.3", "1.2"}}, "tls-current", pass, "1.3, 1.2"},
	{"1.1 too", Versions{Taken: []string{"1.3", "1.1", "1.0"}}, "tls-current", fail, "it takes TLS 1.1, 1.0"},
	{"1.0 hangs", Versions{Taken: []string{"1.3"}, Unsettled: "1.0", Within: 5 * second}, "tls-current", unmeasured, "TLS 1.0 was neither"},
	{"none", Versions{}, "tls-current", unmeasured, "no version"},
	{"no_application_protocol", Unheard{Offered: "x", Chooses: true, Alert: true}, "tls-alpn-refused", pass, ""},
	{"it goes on", Unheard{Offered: "x", Chooses: true, WentOn: true}, "tls-alpn-refused", fail, `"x"`},
	{"another protocol", Unheard{Offered: "x", Chooses: true, ChoseAnother: true, Word: "y"}, "tls-alpn-refused", fail, `"x"`},
	{"another alert", Unheard{Offered: "x", Chooses: true, Word: "handshake failure"}, "tls-alpn-refused", unmeasured, "handshake failure"},
	{"no ALPN", Unheard{Offered: "x"}, "tls-alpn-refused", unmeasured, "chooses no protocol"},
	{"it took what it had not been offered", Unheard{Offered: "x", Chooses: true}, "tls-alpn-refused", nothing, ""},
	{"resumed", Ticket{Resumed: true}, "tls-tickets-work", pass, ""},
	{"not resumed", Ticket{}, "tls-tickets-work", warn, ""},
	{"close_notify", TLSEnd{How: profile.CloseNotify, Whole: true}, "tls-close-notify", pass, ""},
	{"close_notify, then RST", TLSEnd{How: profile.CloseNotifyRST, Whole: true}, "tls-close-notify", pass, ""},
	{"FIN alone", TLSEnd{How: profile.FIN, Whole: true}, "tls-close-notify", warn, ""},
	{"FIN within a message", TLSEnd{How: profile.FIN}, "tls-close-notify", unmeasured, "FIN"},
	{"it stays open", TLSEnd{Within: 5 * second, Whole: true}, "tls-close-notify", unmeasured, "within 5s"},

	// HTTP/2.
	{"SETTINGS first", Greeting{Settings: true}, "h2-settings-first", pass, ""},
	{"PING first", Greeting{First: "PING"}, "h2-settings-first", fail, "PING"},
	{"acknowledged", Greeting{Settings: true, Acknowledged: Answered}, "h2-settings-acknowledged", pass, ""},
	{"not acknowledged", Greeting{Settings: true, Acknowledged: Silent, Within: 5 * second}, "h2-settings-acknowledged", fail, "5s"},
	{"over before", Greeting{Settings: true, Acknowledged: Garbled, Why: "the server ended the connection (FIN)"}, "h2-settings-acknowledged", unmeasured, "FIN"},
	{"not tried", Greeting{Settings: true}, "h2-settings-acknowledged", nothing, ""},
	{"pong", Greeting{Settings: true, Acknowledged: Answered, Ponged: Answered, Took: 3 * milli}, "h2-ping-answered", pass, "3ms"},
	{"no pong", Greeting{Settings: true, Acknowledged: Answered, Ponged: Silent}, "h2-ping-answered", fail, ""},
	{"over before PING", Greeting{Settings: true, Acknowledged: Answered, Ponged: Garbled, Why: "gone"}, "h2-ping-answered", unmeasured, "gone"},
	{"fields", Fields{Protocol: "h2", Status: 200, Names: []string{"date", "vary"}}, "h2-connection-fields", pass, ""},
	{"fields of HTTP/1", Fields{Protocol: "h2", Status: 200, Names: []string{"date", "Connection", "keep-alive"}}, "h2-connection-fields", fail, "Connection, keep-alive"},
	{"idle, GOAWAY", IdleHTTP2{Limit: seen(5*second, profile.GOAWAY)}, "goaway-idle", pass, "all 3"},
	{"idle, without", IdleHTTP2{Limit: seen(5*second, profile.FIN), Without: 2}, "goaway-idle", warn, "2 of 3"},
	{"idle, and not ended", IdleHTTP2{Limit: least(20 * second)}, "goaway-idle", unmeasured, ""},
	{"idle, GOAWAY that names no stream", IdleHTTP2{Limit: seen(5*second, profile.GOAWAY), Abrupt: 2}, "goaway-idle", warn, "2 of 3"},
	{"idle, by an error", IdleHTTP2{Limit: profile.Timeout{State: profile.Measured, Spread: profile.Spread{N: 3}, Closing: calm}}, "goaway-idle", pass, "ENHANCE_YOUR_CALM"},
	{"a request is answered", Use{Answered: true}, "h2-usable", pass, ""},
	{"none may be sent", Use{Refused: true, Allowed: linger.Known(uint64(0)), Within: 5 * second}, "h2-usable", warn, "STREAMS 0"},
	{"each is refused", Use{Refused: true, Tried: 3, Why: "REFUSED_STREAM"}, "h2-usable", warn, "3 requests"},
	{"it is to go at once", Use{Refused: true, Tried: 1, Why: "GOAWAY"}, "h2-usable", warn, "GOAWAY"},
	{"no answer", Use{Why: "no answer in time"}, "h2-usable", unmeasured, "in time"},
	{"no stream at all", Use{Allowed: linger.Known(uint64(0))}, "h2-parallel", unmeasured, "h2-usable"},
	{"one stream", Use{Answered: true, Allowed: linger.Known(uint64(1))}, "h2-parallel", warn, "one stream at once"},
	{"some streams", Use{Answered: true, Allowed: linger.Known(uint64(100))}, "h2-parallel", pass, "100"},
	{"streams without limit", Use{Answered: true}, "h2-parallel", pass, "no limit"},
	{"used up, by an error", UsedUp{Responses: 3, Ended: true, GOAWAY: []uint32{7}, Last: 5, Closing: calm}, "goaway-last-request", unmeasured, "ENHANCE_YOUR_CALM"},
	{"no stream is named", UsedUp{Responses: 3, Ended: true, GOAWAY: []uint32{1<<31 - 1}, Last: 5, Abrupt: true}, "goaway-last-stream", unmeasured, ""},
	{"and it closes at once", UsedUp{Responses: 3, Ended: true, How: profile.GOAWAY, GOAWAY: []uint32{1<<31 - 1}, Last: 5, Abrupt: true}, "goaway-in-time", warn, "at once"},
	{"and it does not", UsedUp{Responses: 3, Ended: true, GOAWAY: []uint32{1<<31 - 1, 5}, Last: 5}, "goaway-in-time", pass, ""},
	{"a stream is named at once", UsedUp{Responses: 3, Ended: true, GOAWAY: []uint32{5}, Last: 5}, "goaway-in-time", unmeasured, ""},
	{"used up, GOAWAY", UsedUp{Responses: 10, Ended: true, GOAWAY: []uint32{19}, Last: 19}, "goaway-last-request", pass, "10"},
	{"used up, without", UsedUp{Responses: 10, Ended: true, How: profile.FIN}, "goaway-last-request", warn, "(FIN)"},
	{"not used up", UsedUp{Responses: 16, Asked: 16}, "goaway-last-request", unmeasured, "16 at most"},
	{"the last stream is named", UsedUp{Responses: 10, Ended: true, GOAWAY: []uint32{19}, Last: 19}, "goaway-last-stream", pass, "19"},
	{"a lower one is", UsedUp{Responses: 10, Ended: true, GOAWAY: []uint32{17}, Last: 19}, "goaway-last-stream", fail, "names stream 17, and stream 19 was answered"},
	{"the lowest counts", UsedUp{Responses: 10, Ended: true, GOAWAY: []uint32{1<<31 - 1, 17}, Last: 19}, "goaway-last-stream", fail, ""},
	{"no GOAWAY names nothing", UsedUp{Responses: 10, Ended: true, How: profile.FIN}, "goaway-last-stream", unmeasured, ""},
	{"falling", UsedUp{Responses: 10, Ended: true, GOAWAY: []uint32{1<<31 - 1, 19}, Last: 19}, "goaway-never-rises", pass, "2 GOAWAY"},
	{"rising", UsedUp{Responses: 10, Ended: true, GOAWAY: []uint32{17, 19}, Last: 17}, "goaway-never-rises", fail, ""},
	{"one alone", UsedUp{Responses: 10, Ended: true, GOAWAY: []uint32{19}, Last: 19}, "goaway-never-rises", unmeasured, ""},
	{"one too many is refused", Streams{Allowed: linger.Known(uint64(2)), Most: 8, Refused: true, Ours: true, Code: "REFUSED_STREAM", Lives: true}, "h2-stream-limit", pass, "of 3 streams"},
	{"and the connection with it", Streams{Allowed: linger.Known(uint64(2)), Most: 8, Over: true}, "h2-stream-limit", warn, "5.4.1"},
	{"refused by another word", Streams{Allowed: linger.Known(uint64(2)), Most: 8, Refused: true, Code: "CANCEL", Lives: true}, "h2-stream-limit", unmeasured, "CANCEL"},
	{"not refused", Streams{Allowed: linger.Known(uint64(2)), Most: 8, Lives: true}, "h2-stream-limit", unmeasured, "not refused"},
	{"too fast to be at once", Streams{Allowed: linger.Known(uint64(2)), Most: 8, Done: true}, "h2-stream-limit", unmeasured, "before the next"},
	{"no limit", Streams{Most: 8}, "h2-stream-limit", unmeasured, "no limit"},
	{"a limit that takes too much", Streams{Allowed: linger.Known(uint64(100)), Most: 8}, "h2-stream-limit", unmeasured, "100 streams"},

	// HTTP/3.
	{"it is there", Announcement{Announced: true, Offered: true, Status: 200}, "alt-svc-true", pass, "200"},
	{"it is not there", Announcement{Announced: true, Why: "no HTTP/3 at x"}, "alt-svc-true", warn, "no HTTP/3 at x"},
	{"it is there and does not answer", Announcement{Announced: true, Offered: true, Why: "no answer in time"}, "alt-svc-true", warn, "not answered"},
	{"not announced", Announcement{Offered: true, Status: 200}, "alt-svc-true", unmeasured, ""},
	{"neither", Announcement{}, "alt-svc-true", nothing, ""},
	{"SETTINGS begin the control stream", Control{Began: true, Settings: true}, "h3-settings-first", pass, ""},
	{"another frame does", Control{Began: true, First: 7}, "h3-settings-first", fail, "0x7"},
	{"nothing does", Control{Within: 5 * second}, "h3-settings-first", fail, "5s"},
	{"fields of HTTP/3", Fields{Protocol: "h3", Status: 200}, "h3-connection-fields", pass, ""},
	{"fields of HTTP/1 in HTTP/3", Fields{Protocol: "h3", Status: 200, Names: []string{"transfer-encoding"}}, "h3-connection-fields", fail, ""},
	{"QUIC, GOAWAY", IdleHTTP3{seen(5*second, profile.GOAWAYQUIC)}, "h3-goaway-idle", pass, ""},
	{"QUIC, GOAWAY and left open", IdleHTTP3{seen(5*second, profile.GOAWAYOpen)}, "h3-goaway-idle", pass, ""},
	{"QUIC, closed", IdleHTTP3{seen(5*second, profile.QUICClose)}, "h3-goaway-idle", warn, ""},
	{"QUIC, silent by agreement", IdleHTTP3{seen(5*second, profile.QUICIdle)}, "h3-goaway-idle", unmeasured, ""},
	{"answers until the end", Revisited{Announced: 30 * second, Least: 5 * second, Kept: 24 * second, Answered: true}, "h3-idle-kept", pass, "24 s"},
	{"closes by a word", Revisited{Announced: 30 * second, Least: 5 * second, Kept: 10 * second, How: profile.QUICClose}, "h3-idle-kept", pass, "by a word"},
	{"forgets", Revisited{Announced: 30 * second, Least: 5 * second, Kept: 10 * second, How: profile.QUICReset}, "h3-idle-kept", warn, "stateless reset"},
	{"does not answer", Revisited{Announced: 30 * second, Least: 5 * second, Kept: 24 * second, Why: "no answer in time"}, "h3-idle-kept", warn, "no answer in time"},
	{"waiting was too short", Revisited{Announced: 30 * second, Least: 5 * second, Early: true}, "h3-idle-kept", unmeasured, ""},
	{"too little to be known", Revisited{Announced: 5 * second, Least: 5 * second}, "h3-idle-kept", unmeasured, ""},

	// DNS.
	{"many", Queries{Answered: 10}, "dns-many-queries", pass, "10 queries"},
	{"some, and then the end", Queries{Answered: 4, Ended: true, Why: "it closed"}, "dns-many-queries", pass, "4 queries"},
	{"one", Queries{Answered: 1, Ended: true, Why: "it closed"}, "dns-many-queries", warn, ""},
	{"none", Queries{Ended: true, Why: "it closed the connection"}, "dns-many-queries", unmeasured, "query 1: it closed"},
	{"silence after some", Queries{Answered: 3, Why: "no answer in time"}, "dns-many-queries", unmeasured, "query 4"},
	{"all", Burst{Sent: 10, Answered: 10}, "dns-pipelining", pass, ""},
	{"not all, closed", Burst{Sent: 10, Answered: 1, Ended: true}, "dns-pipelining", warn, "ended the connection"},
	{"not all, silent", Burst{Sent: 10, Answered: 1}, "dns-pipelining", warn, "silent"},
	{"a stray", Burst{Sent: 10, Answered: 1, Stray: linger.Known(uint16(7))}, "dns-pipelining", warn, "given up then; an answer had the ID 7"},
	{"pieces", Pieces{Heard: true, Right: true, Apart: 50 * milli}, "dns-split", pass, "50ms"},
	{"pieces, another answer", Pieces{Heard: true}, "dns-split", fail, "another answer"},
	{"pieces, none", Pieces{Why: "no answer in time"}, "dns-split", fail, "no answer in time"},
	{"first", Reordered{Fast: milli, Slow: second, Noticeable: 20 * milli, Tried: true, First: true, Waited: 2 * milli}, "dns-reorders", pass, "2 ms"},
	{"held up", Reordered{Fast: milli, Slow: second, Noticeable: 20 * milli, Tried: true, Waited: second}, "dns-reorders", warn, "had to wait 1 s"},
	{"nothing is slow", Reordered{Fast: milli, Slow: 2 * milli, Noticeable: 20 * milli}, "dns-reorders", unmeasured, "nothing is slow"},
	{"not slow again", Reordered{Fast: milli, Slow: second, Noticeable: 20 * milli, Tried: true, Waited: 2 * milli}, "dns-reorders", unmeasured, "not so again"},
	{"without EDNS", Plain{}, "dns-edns-asked", pass, ""},
	{"EDNS unasked", Plain{EDNS: true}, "dns-edns-asked", fail, ""},
	{"no answer without EDNS", Plain{Why: "no answer in time"}, "dns-edns-asked", unmeasured, ""},
	{"cut and said", Sizes{TCP: Answer{Bytes: 900, Records: 9}, UDP: Answer{Bytes: 500, Records: 5, Truncated: true}}, "dns-truncates", pass, "900 bytes over TCP; 500"},
	{"cut and not said", Sizes{TCP: Answer{Bytes: 900, Records: 9}, UDP: Answer{Bytes: 500, Records: 5}}, "dns-truncates", fail, "5 of 9 records"},
	{"too long", Sizes{TCP: Answer{Bytes: 900}, UDP: Answer{Bytes: 900}}, "dns-truncates", fail, "512 is the most"},
	{"cut over TCP", Sizes{TCP: Answer{Bytes: 900, Truncated: true}}, "dns-truncates", fail, "says that it is truncated"},
	{"it fits", Sizes{TCP: Answer{Bytes: 100}, UDP: Answer{Bytes: 100}}, "dns-truncates", unmeasured, "fit"},
	{"only what is optional is missing", Sizes{TCP: Answer{Bytes: 600, Records: 5}, UDP: Answer{Bytes: 500, Records: 5}}, "dns-truncates", unmeasured, "optional"},
	{"no UDP", Sizes{TCP: Answer{Bytes: 900}, NoUDP: "refused"}, "dns-truncates", unmeasured, "refused"},
	{"no TCP", Sizes{NoTCP: "refused"}, "dns-truncates", unmeasured, "refused"},
	{"ignored", Datagrams{Without: "NOERROR", With: "NOERROR"}, "dns-keepalive-udp", pass, ""},
	{"answered", Datagrams{Without: "NOERROR", With: "NOERROR", Has: true}, "dns-keepalive-udp", fail, ""},
	{"another answer", Datagrams{Without: "NOERROR", With: "FORMERR"}, "dns-keepalive-udp", fail, "FORMERR"},
	{"no answer with it", Datagrams{Without: "NOERROR", NoWith: true}, "dns-keepalive-udp", fail, ""},
	{"no answer at all", Datagrams{NoWithout: "no answer in time"}, "dns-keepalive-udp", unmeasured, ""},
	{"kept for long", IdleDNS{seen(10*second, profile.FIN)}, "dns-idle-long-enough", pass, "10 s"},
	{"kept for longer than waited", IdleDNS{least(20 * second)}, "dns-idle-long-enough", pass, "at least"},
	{"kept for too short", IdleDNS{seen(200*milli, profile.FIN)}, "dns-idle-long-enough", warn, ""},
	{"waiting was too short to tell", IdleDNS{least(500 * milli)}, "dns-idle-long-enough", nothing, ""},
	{"not known", IdleDNS{unknown}, "dns-idle-long-enough", unmeasured, "could be opened"},
	{"DNS ends by FIN", IdleDNS{seen(10*second, profile.FIN)}, "dns-idle-orderly", pass, ""},
	{"DNS ends by RST", IdleDNS{seen(10*second, profile.RST)}, "dns-idle-orderly", warn, ""},
	{"DNS does not end", IdleDNS{least(20 * second)}, "dns-idle-orderly", unmeasured, ""},
	{"as it says", KeepaliveDNS{linger.Known(10 * second), seen(10*second, profile.FIN), false}, "dns-keepalive-true", pass, ""},
	{"for longer than it says", KeepaliveDNS{linger.Known(10 * second), least(20 * second), false}, "dns-keepalive-true", pass, "at least"},
	{"for less", KeepaliveDNS{linger.Known(10 * second), seen(5*second, profile.FIN), false}, "dns-keepalive-true", fail, "said 10 s"},
	{"close at once", KeepaliveDNS{linger.Known(time.Duration(0)), seen(5*second, profile.FIN), false}, "dns-keepalive-true", pass, "at once"},
	{"not said", KeepaliveDNS{Limit: seen(5*second, profile.FIN)}, "dns-keepalive-true", unmeasured, "need not"},
	{"without a TIMEOUT", KeepaliveDNS{Empty: true, Limit: seen(5*second, profile.FIN)}, "dns-keepalive-true", unmeasured, "without a TIMEOUT"},
	{"waiting ended first", KeepaliveDNS{linger.Known(60 * second), least(20 * second), false}, "dns-keepalive-true", unmeasured, "--max-wait"},
	{"nobody knows", KeepaliveDNS{linger.Known(60 * second), unknown, false}, "dns-keepalive-true", unmeasured, "could be opened"},
}

func TestCasesAreDecidedByFacts(t *testing.T) {
	for _, row := range rulings {
		results := row.facts.Judge()
		i := slices.IndexFunc(results, func(r profile.Result) bool { return r.ID == row.id })
		var got profile.Result
		if i >= 0 {
			got = results[i]
		}
		if got.Outcome != row.outcome || !strings.Contains(got.Text, row.text) {
			t.Errorf("%s: %s %s (%s), want %s (%s)", row.name, row.id, got.Outcome, got.Text, row.outcome, row.text)
		}
	}
}

// Of each case there is a row in which a server passes, one in which it breaks it as
// gravely as it can be broken, and one in which nothing can be said.
func TestEachCaseHasItsRows(t *testing.T) {
	have := map[string]map[profile.Outcome]bool{}
	for _, row := range rulings {
		if have[row.id] == nil {
			have[row.id] = map[profile.Outcome]bool{}
		}
		have[row.id][row.outcome] = true
	}
	// Of these the exchange decides, once there is one.
	decided := []string{"tls-tickets-work", "expect-answered", "field-space", "h2-settings-first", "h3-settings-first", "h2-connection-fields", "h3-connection-fields", "dns-pipelining", "dns-split"}
	for _, c := range Cases() {
		rows := have[c.ID]
		if !rows[profile.Pass] {
			t.Errorf("%s: no row passes", c.ID)
		}
		// That a MUST is broken without harm is a warning (tls-close-notify).
		if !rows[c.Level.Broken()] && !rows[profile.Warn] {
			t.Errorf("%s: no row breaks it", c.ID)
		}
		if !rows[profile.NotMeasured] && !rows[nothing] && !slices.Contains(decided, c.ID) {
			t.Errorf("%s: no row leaves it open", c.ID)
		}
	}
}

// No facts say two things of one case, and none panics on nothing.
func TestFactsSayOneWordOfACase(t *testing.T) {
	all := []Facts{HTTP1{}, AskedToClose{}, HTTP10{}, Pipelined{}, Messages{}, Content{}, Expecting{}, Malformed{ID: "host-missing"}, Versions{}, Unheard{}, Ticket{}, TLSEnd{},
		Greeting{}, Fields{Protocol: "h2"}, IdleHTTP2{}, Use{}, UsedUp{}, UsedUp{Ended: true}, Streams{}, Announcement{}, Control{}, IdleHTTP3{}, Revisited{}, Queries{}, Burst{}, Pieces{}, Reordered{}, Plain{}, Sizes{}, Datagrams{}, IdleDNS{}, KeepaliveDNS{}}
	for _, row := range rulings {
		all = append(all, row.facts)
	}
	for _, f := range all {
		said := map[string]bool{}
		for _, r := range f.Judge() {
			if said[r.ID] {
				t.Errorf("%+v says two things of %s", f, r.ID)
			}
			said[r.ID] = true
			if r.Outcome == "" || r.Text == "" && r.Outcome != profile.NotMeasured || strings.Contains(r.Text, "%!") {
				t.Errorf("%+v: %s is %q (%s)", f, r.ID, r.Outcome, r.Text)
			}
		}
	}
}

func TestUndecidableResultsKeepTheirReasonAlone(t *testing.T) {
	for _, r := range Undecidable(quiet(nil).Judge(), "the server limits rates") {
		if r.Outcome != profile.NotMeasured || r.Text != "the server limits rates" || len(r.Figures) > 0 {
			t.Errorf("%+v", r)
		}
	}
	for _, r := range NotOffered("h2", "not offered: it refused") {
		if r.Protocol != "h2" || r.Outcome != profile.NotMeasured || r.Text != "not offered: it refused" {
			t.Errorf("%+v", r)
		}
	}
}

func TestFiguresThatDecideACaseAreHandedOn(t *testing.T) {
	f := quiet(func(f *HTTP1) { f.Timeout, f.Watched = fivesecs, seen(3*second, profile.FIN) })
	for _, r := range f.Judge() {
		if r.ID != "timeout-honoured" {
			continue
		}
		if said, was := r.Figures.Value("announced").Or(0), r.Figures.Value("limit").Or(0); said != 5000 || was != 3000 {
			t.Errorf("announced %v ms, limit %v ms", said, was)
		}
	}
	bound := least(20 * second).Figure("limit")
	if i, _ := bound.Interval.Get(); i.Low.Or(0) != 20_000 || !i.High.IsZero() || !bound.Value.IsZero() {
		t.Errorf("%+v", bound)
	}
}
