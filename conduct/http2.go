package conduct

var http2Cases = []Case{
	{"goaway-last-stream", "names in GOAWAY the last stream that it processed", "h2", "RFC 9113, 6.8", Must, "lying-goaway"},
}

var http3Cases []Case
