package fields

import "strings"

// The static table (RFC 7541, Appendix A): entries 2 to 14 have values that count, and so the
// names of 1 to 14 are few.
const (
	statics      = 61
	staticValues = "GET POST / /index.html http https 200 204 206 304 400 404 500"
	staticNames  = ":authority :method :method :path :path :scheme :scheme :status :status :status :status " +
		":status :status :status " +
		"accept-charset accept-encoding accept-language accept-ranges accept " +
		"access-control-allow-origin age allow authorization cache-control content-disposition " +
		"content-encoding content-language content-length content-location content-range " +
		"content-type cookie date etag expect expires from host if-match if-modified-since " +
		"if-none-match if-range if-unmodified-since last-modified link location max-forwards " +
		"proxy-authenticate proxy-authorization range referer refresh retry-after server " +
		"set-cookie strict-transport-security transfer-encoding user-agent vary via " +
		"www-authenticate"
)

// A fixed is an entry of the static table.
type fixed struct {
	name  Name
	size  int // of the name
	value []byte
}

var static [statics + 1]fixed // from 1

func init() {
	for i, name := range strings.Fields(staticNames) {
		static[i+1] = fixed{name: NameOf([]byte(name)), size: len(name)}
	}
	for i, value := range strings.Fields(staticValues) {
		static[i+2].value = []byte(value)
	}
}
