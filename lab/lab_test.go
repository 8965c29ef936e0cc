package lab

import (
	"strings"
	"testing"
	"time"

	"linger"
)

func TestValidate(t *testing.T) {
	good := func() Config {
		return Config{Hosts: []HostConfig{{Name: "client"}, {Name: "origin", Side: Server, Aliases: []string{"www.example.com"}}}}
	}
	for _, tt := range []struct {
		name  string
		spoil func(*Config)
		want  string
	}{
		{"a good one", func(c *Config) {}, ""},
		{"an impossible network", func(c *Config) { c.Network.Loss = 2 }, "loss"},
		{"no hosts", func(c *Config) { c.Hosts = nil }, "a lab of 0 hosts"},
		{"too many hosts", func(c *Config) { c.Hosts = make([]HostConfig, 1000) }, "a lab of 1000 hosts"},
		{"a side that is none", func(c *Config) { c.Hosts[0].Side = 7 }, "side 7"},
		{"a name that stands twice", func(c *Config) { c.Hosts[1].Aliases[0] = "client" }, `"client" stands twice`},
		{"localhost", func(c *Config) { c.Hosts[0].Name = "localhost" }, "localhost is taken"},
		{"a name with a space", func(c *Config) { c.Hosts[0].Name = "a b" }, "is not a host's name"},
		{"a name that would end its line", func(c *Config) { c.Hosts[0].Name = "a\n10.0.0.1 b" }, "is not a host's name"},
		{"no name", func(c *Config) { c.Hosts[0].Name = "" }, "is not a host's name"},
		{"a negative delay", func(c *Config) { c.Hosts[0].Delay = -1 }, "delay of -1ns"},
		{"counting without a pause", func(c *Config) { c.SampleEvery = time.Microsecond }, "sockets cannot be counted every 1µs"},
		{"keeping counts without a pause", func(c *Config) { c.SeriesEvery = time.Microsecond }, "sockets cannot be kept every 1µs"},
		{"fewer addresses than none", func(c *Config) { c.Hosts[0].Addresses = -1 }, "has -1 further addresses"},
		{"more addresses than a range has", func(c *Config) { c.Hosts[0].Addresses = 1 << 16 }, "has 65536 further addresses"},
		{"a capture of less than nothing", func(c *Config) { c.CaptureLimit = -1 }, "a capture of -1 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := good()
			tt.spoil(&c)
			err := c.validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
}

func TestHostsFile(t *testing.T) {
	c := Config{Hosts: []HostConfig{
		{Name: "client"}, {Name: "origin", Side: Server, Aliases: []string{"www.example.com", "cdn.example.com"}}, {Name: "client2"},
	}}
	want := `127.0.0.1 localhost
::1 localhost
10.0.1.1 client
10.0.2.1 origin
10.0.2.1 www.example.com
10.0.2.1 cdn.example.com
10.0.1.2 client2
`
	if got := string(c.hostsFile("box")); got != want+"127.0.1.1 box\n" {
		t.Errorf("got\n%s", got)
	}
	if got := string(c.hostsFile("origin")); got != want {
		t.Errorf("a machine that is called as a host is: got\n%s", got)
	}
}

func TestCapacity(t *testing.T) {
	for _, tt := range []struct {
		network      string
		cores        int
		surely, most int
	}{
		{"dial", 2, 4, 8}, {"lte", 2, 4, 8}, {"lte", 8, 16, 32}, {"lte", 0, 2, 4}, {"wan", 2, 1, 1}, {"wan", 8, 4, 4}, {"lan", 2, 1, 1}, {"lan", 16, 1, 1},
	} {
		n, err := linger.ParseNetwork(tt.network)
		if err != nil {
			t.Fatal(err)
		}
		if surely, most := Capacity(n, tt.cores); surely != tt.surely || most != tt.most {
			t.Errorf("%s on %d cores: got %d to %d, want %d to %d", tt.network, tt.cores, surely, most, tt.surely, tt.most)
		}
	}
	if surely, most := Capacity(linger.Network{}, 64); surely != 1 || most != 1 {
		t.Errorf("without a bound of the rate: got %d to %d, want 1", surely, most)
	}
}

func TestExitStatus(t *testing.T) {
	for _, tt := range []struct {
		exit Exit
		want int
	}{{Exit{}, 0}, {Exit{Code: 7}, 7}, {Exit{Signal: 9}, 137}, {Exit{Signal: 2}, 130}} {
		if got := tt.exit.Status(); got != tt.want {
			t.Errorf("%+v: got %d, want %d", tt.exit, got, tt.want)
		}
	}
}
