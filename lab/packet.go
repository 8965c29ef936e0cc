package lab

// Side is the end of the bottleneck that a host is on.
type Side int

const (
	Client Side = iota // sends into the up link
	Server             // sends into the down link
)

// String returns "client" or "server".
func (s Side) String() string {
	if s == Client {
		return "client"
	}
	return "server"
}
