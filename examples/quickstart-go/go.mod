module qoder-quickstart-go

go 1.25

require (
	example.com/pulumi-qoder/sdk/go v0.0.0
	github.com/pulumi/pulumi/sdk/v3 v3.259.0
)

replace example.com/pulumi-qoder/sdk/go => ./sdks/qoder
