package conduct

var http1Cases = []Case{
	{"close-honoured", "closes after the response to a request that said Connection: close", "http/1.1", "RFC 9112, 9.6", Must, "ignore-close"},
	{"close-kept", "closes after a response that said Connection: close", "http/1.1", "RFC 9112, 9.6", Must, ""},
	{"close-announced", "says Connection: close on the last response of a connection", "http/1.1", "RFC 9112, 9.3", Must, "unannounced-close"},
	{"keep-alive-honoured", "keeps open what it announced by Connection: keep-alive or Keep-Alive", "http/1.1", "RFC 9112, 9.3; RFC 2068, 19.7.1.1", Should, "false-keep-alive"},
	{"timeout-honoured", "closes idle connections when its Keep-Alive: timeout said, in seconds", "http/1.1", "RFC 2068, 19.7.1.1", Should, "wrong-unit"},
	{"idle-orderly", "ends an idle connection by FIN, and a response without destroying it", "http/1.1", "RFC 9112, 9.6; RFC 9293, 3.6", Should, "reset"},
	{"idle-answered", "refuses what comes on a connection that it has given up, rather than say nothing", "http/1.1", "RFC 9293, 3.10.7", Must, "black-hole"},
	{"idle-closed-whole", "closes both directions of a connection that it has given up", "http/1.1", "RFC 9112, 9.6", Should, "half-close"},
	{"idle-no-race", "closes an idle connection when its time is over, not when the next request comes", "http/1.1", "RFC 9112, 9.5", Advice, "race"},
	{"idle-long-enough", "keeps idle connections for at least a second", "http/1.1", "docs/probe.md", Advice, "short-idle"},
	{"requests-enough", "allows at least ten requests on a connection", "http/1.1", "docs/probe.md", Advice, "few-requests"},
	{"message-complete", "ends no connection within a message", "http/1.1", "RFC 9112, 8", Must, "cut-after-bytes"},
	{"pipeline-order", "answers pipelined requests in their order", "http/1.1", "RFC 9112, 9.3.2", Must, "out-of-order"},
}
