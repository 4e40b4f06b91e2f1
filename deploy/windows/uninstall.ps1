#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
    Takes skepd off this host: it leaves its swarm, the service and the programs go. What is under %ProgramData%\skep stays unless -Purge.
#>
[CmdletBinding()]
param(
    [string] $InstallDir = (Join-Path $env:ProgramFiles 'skep'),
    [string] $ServiceName = 'skep',
    # Leave the swarm also as a manager, or when no manager can be reached.
    [switch] $Force,
    # Remove images, containers and the node's identity as well.
    [switch] $Purge
)
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$pipe = 'npipe:////./pipe/skep'
$skep = Join-Path $InstallDir 'skep.exe'
$skepd = Join-Path $InstallDir 'skepd.exe'
$service = Get-Service -Name $ServiceName -ErrorAction SilentlyContinue

if ($service -and $service.Status -eq 'Running') {
    $arguments = @('-H', $pipe, 'leave')
    if ($Force) {
        $arguments += '--force'
    }
    $said = & $skep @arguments 2>&1
    if ($LASTEXITCODE -ne 0 -and "$said" -notmatch 'not part of a swarm') {
        Write-Error -Message "uninstall.ps1: this node did not leave its swarm: $said (-Force leaves all the same)" -ErrorAction Continue
        exit 1
    }
}
if ($service) {
    & $skepd --unregister-service --service-name $ServiceName
    if ($LASTEXITCODE -ne 0) {
        exit $LASTEXITCODE
    }
}
Get-NetFirewallRule -DisplayName "Skep ($ServiceName)" -ErrorAction SilentlyContinue | Remove-NetFirewallRule
Remove-Item -Recurse -Force $InstallDir -ErrorAction SilentlyContinue
if ($Purge) {
    Remove-Item -Recurse -Force (Join-Path $env:ProgramData 'skep') -ErrorAction SilentlyContinue
}
Write-Host "The service $ServiceName is gone"
