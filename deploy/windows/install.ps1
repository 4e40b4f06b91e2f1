#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
    Installs skepd as a service on this Windows host, or puts a newer one in its place, and joins a swarm when told which.

.DESCRIPTION
    Lies beside skepd.exe and skep.exe. Checks what the host must have, copies both programs, registers the service with its flags, lets the
    managers' port through the firewall, starts the service and waits until it answers. Run again, it upgrades in place: the service stops,
    the programs are replaced, the service starts; containers run on meanwhile, and the node stays in its swarm. When the new programs do
    not start, the old ones come back.

.EXAMPLE
    .\install.ps1 -Manager 10.0.0.5:2377 -Token SWMTKN-1-...

.EXAMPLE
    .\install.ps1 -Flags '--label', 'site=north', '--metrics-addr', '127.0.0.1:9323'
#>
[CmdletBinding()]
param(
    [string[]] $Manager,
    [string] $Token,
    [string] $AdvertiseAddr,
    [string] $InstallDir = (Join-Path $env:ProgramFiles 'skep'),
    [string] $ServiceName = 'skep',
    # Flags of skepd; see skepd.exe --help. Kept by an upgrade that names none.
    [string[]] $Flags = @(),
    [switch] $NoFirewall
)
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$programs = 'skepd.exe', 'skep.exe'
$leastBuild = 14393
$pipe = 'npipe:////./pipe/skep'
$rule = "Skep ($ServiceName)"

function Stop-WithReason([string] $Reason) {
    Write-Error -Message "install.ps1: $Reason" -ErrorAction Continue
    exit 1
}

function Assert-Host {
    $build = [int](Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion').CurrentBuildNumber
    if ($build -lt $leastBuild) {
        Stop-WithReason "skepd requires build $leastBuild or later of Windows (Server 2016, or Windows 10 1607); this is build $build"
    }
    if (-not (Get-Service -Name vmcompute -ErrorAction SilentlyContinue)) {
        Stop-WithReason ("the Host Compute Service (vmcompute) is not there: enable the feature Containers " +
            "('Enable-WindowsOptionalFeature -Online -FeatureName Containers -All', or on a server 'Install-WindowsFeature Containers'), restart, and try again")
    }
    if (-not (Get-Service -Name hns -ErrorAction SilentlyContinue)) {
        Write-Warning 'the Host Network Service (hns) is not there: tasks that publish ports will be refused'
    }
    $client = (Get-CimInstance Win32_OperatingSystem).ProductType -eq 1
    if ($client -and -not (Get-Service -Name vmms -ErrorAction SilentlyContinue)) {
        Write-Warning 'on a client of Windows containers run with hyperv isolation, and Hyper-V is not enabled: most tasks will be refused'
    }
    foreach ($program in $programs) {
        if (-not (Test-Path (Join-Path $PSScriptRoot $program))) {
            Stop-WithReason "$program is not beside this script"
        }
    }
}

function Copy-Programs {
    New-Item -ItemType Directory -Force -Path $InstallDir | Out-Null
    foreach ($program in $programs) {
        $target = Join-Path $InstallDir $program
        if (Test-Path $target) {
            Move-Item -Force $target "$target.old"
        }
        Copy-Item -Force (Join-Path $PSScriptRoot $program) $target
    }
}

function Restore-Programs {
    foreach ($program in $programs) {
        $target = Join-Path $InstallDir $program
        if (Test-Path "$target.old") {
            Move-Item -Force "$target.old" $target
        }
    }
}

# $true once the API answers.
function Start-AndWait {
    try {
        Start-Service -Name $ServiceName
    } catch {
        Write-Warning $_.Exception.Message
        return $false
    }
    $skep = Join-Path $InstallDir 'skep.exe'
    foreach ($try in 1..60) {
        & $skep -H $pipe info *> $null
        if ($LASTEXITCODE -eq 0) {
            return $true
        }
        Start-Sleep -Milliseconds 500
    }
    return $false
}

function Show-Events {
    Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = $ServiceName } -MaxEvents 10 -ErrorAction SilentlyContinue |
        Sort-Object TimeCreated | ForEach-Object { Write-Host "  $($_.TimeCreated.ToString('HH:mm:ss')) $($_.Message)" }
}

Assert-Host
if ([bool] $Manager -ne [bool] $Token) {
    Stop-WithReason 'to join, both -Manager and -Token are needed (docker swarm join-token worker prints them)'
}

$before = Get-Service -Name $ServiceName -ErrorAction SilentlyContinue
if ($before) {
    Write-Host "Upgrading the service $ServiceName; containers run on"
    Stop-Service -Name $ServiceName
} else {
    Write-Host "Installing the service $ServiceName into $InstallDir"
}
Copy-Programs
$skepd = Join-Path $InstallDir 'skepd.exe'
if ($before -and $Flags) {
    & $skepd --unregister-service --service-name $ServiceName
    $before = $null
}
if (-not $before) {
    & $skepd --register-service --service-name $ServiceName @Flags
    if ($LASTEXITCODE -ne 0) {
        Restore-Programs
        Stop-WithReason 'the service was not registered; see above'
    }
}
if (-not $NoFirewall -and -not (Get-NetFirewallRule -DisplayName $rule -ErrorAction SilentlyContinue)) {
    New-NetFirewallRule -DisplayName $rule -Direction Inbound -Action Allow -Program $skepd -Protocol TCP -LocalPort 2377 | Out-Null
}
if (-not (Start-AndWait)) {
    Show-Events
    Stop-Service -Name $ServiceName -ErrorAction SilentlyContinue
    Restore-Programs
    if (Get-Service -Name $ServiceName -ErrorAction SilentlyContinue) {
        Start-Service -Name $ServiceName -ErrorAction SilentlyContinue
    }
    Stop-WithReason 'skepd did not answer; what it said is above, and the programs of before are back'
}
Get-ChildItem $InstallDir -Filter '*.old' | Remove-Item -Force -ErrorAction SilentlyContinue
Write-Host "skepd answers at $pipe"

if ($Manager) {
    $arguments = @('-H', $pipe, 'join', '--token', $Token)
    if ($AdvertiseAddr) {
        $arguments += '--advertise-addr', $AdvertiseAddr
    }
    & (Join-Path $InstallDir 'skep.exe') @arguments @Manager
    if ($LASTEXITCODE -ne 0) {
        Stop-WithReason 'the service runs, but this node did not join; see above (docs/windows.md tells each message)'
    }
}
