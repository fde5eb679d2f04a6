// The Traefik of the nightly tests: `.ci/services nightly` builds what is named here, and anew when go.sum changes.
// The replacements are Traefik's own, which Go reads of the main module only. Renew go.sum, here, with:
// rm go.sum && CGO_ENABLED=0 go list -mod=mod -deps github.com/traefik/traefik/v3/cmd/traefik
module identityd.example/tests/traefik

go 1.23.0

require github.com/traefik/traefik/v3 v3.3.4

require github.com/cpu/goacmedns v0.0.2 // indirect

replace (
	github.com/abbot/go-http-auth => github.com/containous/go-http-auth v0.4.1-0.20200324110947-a37a7636d23e
	github.com/go-acme/lego/v4 => github.com/go-acme/lego/v4 v4.20.4
	github.com/gorilla/mux => github.com/containous/mux v0.0.0-20220627093034-b2dd784e613f
	github.com/mailgun/minheap => github.com/containous/minheap v0.0.0-20190809180810-6e71eb837595
	github.com/nrdcg/namesilo => github.com/nrdcg/namesilo v0.2.1
)
